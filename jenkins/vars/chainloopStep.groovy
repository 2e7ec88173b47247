// What the steps of this library have in common; pipelines use the steps. What a pipeline gives becomes variables of
// the environment, never text of a script.

import com.cloudbees.groovy.cps.NonCPS

/** End the step with every unknown, unusable and missing argument at once; values are never shown. */
void check(String step, Map given) {
    List<String> wrong = chainloopArguments.problems(step, given) + missing(step, given)
    if (wrong) {
        error(wrong.join('; '))
    }
}

/** Run `body` where the network, the connection and the command are those of the arguments; no secret is bound. */
Object around(String step, Map given, Closure body) {
    withEnv(chainloopArguments.environment(['connection', 'install', 'credentials'], given)) {
        // Not again inside of a step that has done it on this agent, unless another source is named.
        String node = "${env.NODE_NAME}".toString()
        boolean there = env.CHAINLOOP_JENKINS_PROGRAMS && env.CHAINLOOP_JENKINS_NODE == node
        boolean wanted = env.CHAINLOOP_INSTALL_SOURCE && (given.source || !there)
        if (!wanted) {
            return body()
        }
        String programs = install()
        withEnv([
            "PATH+CHAINLOOP=${programs}".toString(),
            "CHAINLOOP_JENKINS_PROGRAMS=${programs}".toString(),
            "CHAINLOOP_JENKINS_NODE=${node}".toString(),
        ]) {
            return body()
        }
    }
}

/** Run `chainloop attestation COMMAND` with the variables that are its own, and return what it gave out. */
Map command(String name, List<String> variables) {
    String folder = env.CHAINLOOP_REPORT_DIR ?: "${pwd(tmp: true)}/chainloop-report"
    List<String> all = ["CHAINLOOP_REPORT_DIR=${folder}".toString(), 'CHAINLOOP_PLUGIN=jenkins'] + variables
    // What an earlier command has left there is not the answer of this one.
    writeFile(file: "${folder}/outputs.env", text: '')
    withEnv(all) {
        withSecrets(name) {
            launch(name)
        }
    }
    return chainloopArguments.outputs(readFile(file: "${folder}/outputs.env"))
}

/** Put the command onto this agent, unless it is there, and return the folder that it lies in. */
String install() {
    String folder = pwd(tmp: true)
    String script = "${folder}/chainloop-install.py"
    String answer = ''
    writeFile(file: script, text: libraryResource('chainloop/install.py'))
    withEnv(["CHAINLOOP_INSTALL_SCRIPT=${script}".toString(), "WORKSPACE_TMP=${folder}".toString()]) {
        withSecrets('install') {
            if (isUnix()) {
                answer = sh(
                    label: 'Install chainloop', returnStdout: true, script: libraryResource('chainloop/python.sh'))
            } else {
                answer = bat(
                    label: 'Install chainloop', returnStdout: true, script: libraryResource('chainloop/python.bat'))
            }
        }
    }
    String programs = lastLine(answer)
    if (!programs) {
        error('chainloopInstall: expected the folder of the command as the answer of the installation, found none')
    }
    return programs
}

/** Bind the secrets that a command needs, for that command alone: the build's own commands never see them. */
void withSecrets(String command, Closure body) {
    List bindings = []
    if (env.CHAINLOOP_JENKINS_PROXY) {
        bindings.add(string(credentialsId: env.CHAINLOOP_JENKINS_PROXY, variable: 'CHAINLOOP_PROXY'))
    }
    if (env.CHAINLOOP_JENKINS_TOKEN && command != 'install') {
        bindings.add(string(credentialsId: env.CHAINLOOP_JENKINS_TOKEN, variable: 'CHAINLOOP_TOKEN'))
    }
    if (env.CHAINLOOP_JENKINS_KEY && command in ['craft', 'push']) {
        bindings.add(file(credentialsId: env.CHAINLOOP_JENKINS_KEY, variable: 'CHAINLOOP_SIGNING_KEY'))
    }
    if (env.CHAINLOOP_JENKINS_KEY_PASSWORD && command in ['craft', 'push']) {
        bindings.add(string(
            credentialsId: env.CHAINLOOP_JENKINS_KEY_PASSWORD, variable: 'CHAINLOOP_SIGNING_PASSWORD'))
    }
    if (env.CHAINLOOP_JENKINS_BUILD_WEBHOOK && command in ['craft', 'push']) {
        bindings.add(string(
            credentialsId: env.CHAINLOOP_JENKINS_BUILD_WEBHOOK, variable: 'CHAINLOOP_BUILD_WEBHOOK_SECRET'))
    }
    if (env.CHAINLOOP_JENKINS_REGISTRY && command in ['craft', 'add']) {
        bindings.add(usernamePassword(
            credentialsId: env.CHAINLOOP_JENKINS_REGISTRY,
            usernameVariable: 'CHAINLOOP_REGISTRY_USERNAME', passwordVariable: 'CHAINLOOP_REGISTRY_PASSWORD'))
    }
    if (bindings) {
        withCredentials(bindings) {
            body()
        }
    } else {
        body()
    }
}

/** Run one of our own commands; nothing that a pipeline gives stands in the script. */
void launch(String name) {
    if (isUnix()) {
        sh(
            label: "chainloop attestation ${name}",
            script: libraryResource('chainloop/command.sh') + "exec chainloop attestation ${name}\n")
    } else {
        bat(
            label: "chainloop attestation ${name}",
            script: libraryResource('chainloop/command.bat') + "chainloop attestation ${name}\r\n")
    }
}

/** Return what is missing; a variable that the pipeline has set itself does for an argument. */
List<String> missing(String step, Map given) {
    List<String> wrong = []
    boolean tried = given.dryRun?.toString() == 'true' || env.CHAINLOOP_DRY_RUN == 'true'
    // A fork's change gets no secrets; a configuration file may hold everything.
    boolean without = step != 'chainloopInstall' && (tried || env.CHANGE_FORK || env.CHAINLOOP_CONFIG)
    List<List<String>> needed = chainloopArguments.needs(step)
    for (int i = 0; i < needed.size(); i++) {
        String name = needed[i][0]
        String variable = needed[i][1]
        if (!given[name] && !(variable && (without || env[variable]))) {
            wrong.add("${step}: ${name} is required".toString())
        }
    }
    return wrong
}

/** Return the answer of a program; bat shows its own commands before it. */
@NonCPS
String lastLine(String printed) {
    List<String> found = printed.readLines()
    return found ? found[-1].trim() : ''
}
