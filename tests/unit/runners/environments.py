"""One ordinary job of each CI system: what its steps really find around them.

The names come from the systems' own documentation, which each function names; values are of its form and invented.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainloop_ci.contract.types import RunnerType
from chainloop_ci.runners.types import HostFacts, Pod

HEAD = "6417e226890ae1340cecc9cd9d7692445ee3338e"
MERGE = "a" * 40
"""A commit that nobody has: what a test merge makes."""


@dataclass(frozen=True)
class Surroundings:
    """A job's host facts, and which of them tell what the job runs on."""

    facts: HostFacts
    detection: tuple[tuple[str, ...], ...] = ()
    """Variables, in groups: without all of a group the system is not recognised."""
    detection_paths: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Variables that must be there and do not decide what is recognised."""

    def change(self, **changes: str | None) -> HostFacts:
        """Return the facts with variables changed; None takes one out."""
        env = {**self.facts.env, **{name: value for name, value in changes.items() if value is not None}}
        gone = {name for name, value in changes.items() if value is None}
        return replace(self.facts, env={name: value for name, value in env.items() if name not in gone})


def github() -> Surroundings:
    """GitHub Docs, "Variables reference": a push on a hosted runner."""
    env = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "octocat",
        "GITHUB_API_URL": "https://api.github.com",
        "GITHUB_BASE_REF": "",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": "/github/workflow/event.json",
        "GITHUB_HEAD_REF": "",
        "GITHUB_JOB": "build",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REF_NAME": "main",
        "GITHUB_REF_TYPE": "branch",
        "GITHUB_REPOSITORY": "acme/api",
        "GITHUB_REPOSITORY_OWNER": "acme",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_RUN_ID": "3411479373",
        "GITHUB_RUN_NUMBER": "12",
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_SHA": HEAD,
        "GITHUB_WORKFLOW": "Build",
        "RUNNER_ARCH": "X64",
        "RUNNER_ENVIRONMENT": "github-hosted",
        "RUNNER_NAME": "GitHub Actions 5",
        "RUNNER_OS": "Linux",
    }
    return Surroundings(
        HostFacts(env),
        detection=(("GITHUB_REPOSITORY",), ("GITHUB_RUN_ID",)),
        required=("GITHUB_ACTOR", "GITHUB_REPOSITORY_OWNER", "GITHUB_SHA", "RUNNER_OS"),
    )


def gitlab() -> Surroundings:
    """GitLab Docs, "Predefined CI/CD variables reference": a branch pipeline of a self-managed server."""
    env = {
        "CI": "true",
        "CI_COMMIT_BRANCH": "main",
        "CI_COMMIT_REF_NAME": "main",
        "CI_COMMIT_SHA": HEAD,
        "CI_JOB_ID": "91",
        "CI_JOB_NAME": "build",
        "CI_JOB_URL": "https://gitlab.test/acme/api/-/jobs/91",
        "CI_PIPELINE_ID": "12",
        "CI_PIPELINE_SOURCE": "push",
        "CI_PIPELINE_URL": "https://gitlab.test/acme/api/-/pipelines/12",
        "CI_PROJECT_PATH": "acme/api",
        "CI_PROJECT_URL": "https://gitlab.test/acme/api",
        "CI_RUNNER_DESCRIPTION": "runner-1",
        "CI_RUNNER_VERSION": "17.5.0",
        "CI_SERVER_URL": "https://gitlab.test",
        "GITLAB_CI": "true",
        "GITLAB_USER_EMAIL": "ana@example.com",
        "GITLAB_USER_LOGIN": "ana",
    }
    return Surroundings(
        HostFacts(env),
        detection=(("GITLAB_CI",), ("CI_JOB_URL",)),
        required=(
            "CI_SERVER_URL",
            "CI_PROJECT_URL",
            "CI_COMMIT_SHA",
            "CI_PIPELINE_URL",
            "CI_COMMIT_REF_NAME",
            "CI_PROJECT_PATH",
        ),
    )


def azure() -> Surroundings:
    """Azure DevOps docs, "Use predefined variables": a push, built on a hosted agent."""
    env = {
        "AGENT_JOBNAME": "Compile",
        "AGENT_NAME": "Azure Pipelines 4",
        "AGENT_OS": "Linux",
        "BUILD_BUILDID": "1430",
        "BUILD_BUILDNUMBER": "20261101.3",
        "BUILD_BUILDURI": "vstfs:///Build/Build/1430",
        "BUILD_REASON": "IndividualCI",
        "BUILD_REPOSITORY_NAME": "api",
        "BUILD_REPOSITORY_URI": "https://acme@dev.azure.com/acme/My%20Project/_git/api",
        "BUILD_REQUESTEDFOR": "Ana Müller",
        "BUILD_REQUESTEDFOREMAIL": "ana@example.com",
        "BUILD_SOURCEBRANCH": "refs/heads/main",
        "BUILD_SOURCEVERSION": HEAD,
        "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/",
        "SYSTEM_JOBATTEMPT": "1",
        "SYSTEM_JOBDISPLAYNAME": "Compile",
        "SYSTEM_JOBID": "12f1170f-54f2-53f3-20dd-22fc7dff55f9",
        "SYSTEM_JOBPOSITIONINPHASE": "1",
        "SYSTEM_PHASENAME": "compile",
        "SYSTEM_STAGENAME": "build",
        "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/acme/",
        "SYSTEM_TEAMFOUNDATIONSERVERURI": "https://dev.azure.com/acme/",
        "SYSTEM_TEAMPROJECT": "My Project",
        "SYSTEM_TOTALJOBSINPHASE": "1",
        "TF_BUILD": "True",
    }
    return Surroundings(
        HostFacts(env),
        detection=(("TF_BUILD",), ("BUILD_BUILDURI",)),
        required=("BUILD_REQUESTEDFOR", "BUILD_BUILDID", "BUILD_BUILDNUMBER"),
    )


def jenkins() -> Surroundings:
    """Jenkins handbook, "Using environment variables", and the Git plugin: a branch, without JENKINS_HOME."""
    env = {
        "BUILD_ID": "7",
        "BUILD_NUMBER": "7",
        "BUILD_TAG": "jenkins-api-7",
        "BUILD_URL": "https://jenkins.test/job/api/7/",
        "EXECUTOR_NUMBER": "0",
        "GIT_BRANCH": "origin/main",
        "GIT_COMMIT": HEAD,
        "GIT_URL": "https://bot:s3cret@git.test/acme/api.git",
        "JENKINS_URL": "https://jenkins.test/",
        "JOB_NAME": "api",
        "NODE_NAME": "agent-1",
        "WORKSPACE": "/home/jenkins/agent/workspace/api",
    }
    return Surroundings(HostFacts(env), detection=(("BUILD_URL",), ("JOB_NAME", "JENKINS_URL")), required=("JOB_NAME",))


def circleci() -> Surroundings:
    """CircleCI docs, "Project values and variables": a branch of a repository on GitHub."""
    env = {
        "CI": "true",
        "CIRCLECI": "true",
        "CIRCLE_BRANCH": "main",
        "CIRCLE_BUILD_NUM": "91",
        "CIRCLE_BUILD_URL": "https://circleci.com/gh/acme/api/91",
        "CIRCLE_JOB": "build",
        "CIRCLE_NODE_INDEX": "0",
        "CIRCLE_NODE_TOTAL": "1",
        "CIRCLE_PROJECT_REPONAME": "api",
        "CIRCLE_PROJECT_USERNAME": "acme",
        "CIRCLE_REPOSITORY_URL": "git@github.com:acme/api.git",
        "CIRCLE_SHA1": HEAD,
        "CIRCLE_USERNAME": "ana",
        "CIRCLE_WORKFLOW_ID": "9a956048-86ba-436a-aac0-9cd461ae266a",
        "CIRCLE_WORKFLOW_JOB_ID": "3f2f5fdd-8287-4036-8dac-af16268664dc",
    }
    return Surroundings(
        HostFacts(env),
        detection=(("CIRCLECI",),),
        required=("CIRCLE_BUILD_URL", "CIRCLE_JOB", "CIRCLE_NODE_TOTAL", "CIRCLE_NODE_INDEX"),
    )


def dagger() -> Surroundings:
    """The Dagger module of Chainloop: called from a GitHub workflow that hands the event on."""
    env = {
        "CHAINLOOP_DAGGER_CLIENT": "v1.106.0",
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_HEAD_REF": "feature",
        "GITHUB_BASE_REF": "main",
        "GITHUB_EVENT_PATH": "/event.json",
    }
    event = {"pull_request": {"number": 17, "head": {"sha": HEAD}}}
    return Surroundings(HostFacts(env, event=event), detection=(("CHAINLOOP_DAGGER_CLIENT",),))


def teamcity() -> Surroundings:
    """TeamCity docs, "List of Predefined Build Parameters" (2023.09 and later): a build on an agent's container."""
    env = {
        "AGENT_NAME": "agent-1",
        "BUILD_NUMBER": "31",
        "BUILD_URL": "https://teamcity.test/buildConfiguration/Acme_Api_Build/4711",
        "BUILD_VCS_NUMBER": HEAD,
        "HOME": "/home/buildagent",
        "TEAMCITY_BUILDCONF_NAME": "Build",
        "TEAMCITY_GIT_VERSION": "2.43.0.0",
        "TEAMCITY_PROJECT_NAME": "Acme API",
        "TEAMCITY_VERSION": "2025.07 (build 197242)",
        "USER": "buildagent",
    }
    return Surroundings(HostFacts(env), detection=(("TEAMCITY_PROJECT_NAME",),))


def tekton() -> Surroundings:
    """Tekton docs, "Labels and Annotations": a task of a pipeline that Pipelines as Code started for a push."""
    env = {
        "HOSTNAME": "api-run-x7k2p-build-pod",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
        "TEKTON_DASHBOARD_URL": "https://tekton.test/",
    }
    labels = {
        "app.kubernetes.io/managed-by": "tekton-pipelines",
        "pipelinesascode.tekton.dev/event-type": "push",
        "pipelinesascode.tekton.dev/sha": HEAD,
        "pipelinesascode.tekton.dev/url-org": "acme",
        "pipelinesascode.tekton.dev/url-repository": "api",
        "tekton.dev/memberOf": "tasks",
        "tekton.dev/pipeline": "api",
        "tekton.dev/pipelineRun": "api-run-x7k2p",
        "tekton.dev/pipelineTask": "build",
        "tekton.dev/task": "build-image",
        "tekton.dev/taskRun": "api-run-x7k2p-build",
    }
    facts = HostFacts(env, existing_paths=frozenset({"/tekton/results"}), pod=Pod("ci", labels))
    return Surroundings(facts, detection_paths=("/tekton/results",))


def sandbox() -> Surroundings:
    """Reference section 4.1: the one variable."""
    return Surroundings(HostFacts({"CHAINLOOP_SANDBOX": "true"}), detection=(("CHAINLOOP_SANDBOX",),))


def generic() -> Surroundings:
    """A laptop."""
    return Surroundings(HostFacts({"HOME": "/home/ana", "USER": "ana", "HOSTNAME": "laptop"}))


SURROUNDINGS = {
    RunnerType.GITHUB_ACTION: github(),
    RunnerType.GITLAB_PIPELINE: gitlab(),
    RunnerType.AZURE_PIPELINE: azure(),
    RunnerType.JENKINS_JOB: jenkins(),
    RunnerType.CIRCLECI_BUILD: circleci(),
    RunnerType.DAGGER_PIPELINE: dagger(),
    RunnerType.TEAMCITY_PIPELINE: teamcity(),
    RunnerType.TEKTON_PIPELINE: tekton(),
    RunnerType.CHAINLOOP_SANDBOX: sandbox(),
    RunnerType.GENERIC: generic(),
}
