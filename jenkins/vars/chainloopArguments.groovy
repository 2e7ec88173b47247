// What the steps take and give, and what becomes of it; pipelines use the steps. All of it are plain functions, which
// call no step.

import com.cloudbees.groovy.cps.NonCPS

/**
 * Return `NAME=value` for the arguments of some groups. One that is empty or not given leaves the variable alone. The
 * ids of credentials are variables too: they are no secrets, and so each parallel branch has its own.
 */
@NonCPS
List<String> environment(List<String> groups, Map given) {
    List<String> made = []
    for (String group in groups) {
        for (entry in tables()[group]) {
            String value = given[entry.key] == null ? '' : text(given[entry.key])
            if (value) {
                made.add("${entry.value}=${value}".toString())
            }
        }
    }
    return made
}

/** Return what later commands need to find an attestation that the control plane keeps; nothing for another one. */
@NonCPS
List<String> shared(Map outputs) {
    if (!outputs.attestationId) {
        return []
    }
    return [
        "CHAINLOOP_ATTESTATION_ID=${outputs.attestationId}".toString(),
        "CHAINLOOP_SEALED_HANDLE=${outputs.sealedHandle}".toString(),
    ]
}

/** Return everything that is wrong with what was given. */
@NonCPS
List<String> problems(String step, Map given) {
    List<String> known = arguments(step)
    List<String> wrong = []
    for (entry in given) {
        String name = entry.key.toString()
        if (!known.contains(name)) {
            String near = nearest(name, known)
            wrong.add("${step}: unknown argument ${shown(name)}${near ? ", did you mean ${near}?" : ''}".toString())
        } else if (entry.value != null) {
            String problem = problem(name, entry.value)
            if (problem) {
                wrong.add("${step}: ${name} ${problem}".toString())
            }
        }
    }
    return wrong
}

@NonCPS
List<String> arguments(String step) {
    List<String> names = []
    names.addAll(credentials(step))
    for (String group in groups(step)) {
        names.addAll(tables()[group].keySet())
    }
    return names
}

@NonCPS
List<String> groups(String step) {
    Map<String, List<String>> used = [
        chainloopAttest: ['connection', 'install', 'craft'],
        withChainloop: ['connection', 'install', 'init', 'push'],
        chainloopAdd: ['connection', 'install', 'add'],
        chainloopInstall: ['install'],
    ]
    return used[step]
}

@NonCPS
List<String> credentials(String step) {
    Map<String, List<String>> used = [
        chainloopAdd: ['tokenCredentialsId', 'registryCredentialsId', 'proxyCredentialsId'],
        chainloopInstall: ['proxyCredentialsId'],
    ]
    return used[step] ?: tables().credentials.keySet() as List<String>
}

/** Return argument and variable of what a step cannot do without. */
@NonCPS
List<List<String>> needs(String step) {
    List<List<String>> reach = [
        ['controlPlane', 'CHAINLOOP_CONTROL_PLANE_API'],
        ['tokenCredentialsId', 'CHAINLOOP_TOKEN'],
        ['keyCredentialsId', 'CHAINLOOP_SIGNING_KEY'],
    ]
    Map<String, List<List<String>>> needed = [
        chainloopAttest: reach,
        withChainloop: reach,
        chainloopAdd: [['value', '']],
        chainloopInstall: [['source', 'CHAINLOOP_INSTALL_SOURCE']],
    ]
    return needed[step]
}

@NonCPS
String problem(String name, Object value) {
    boolean several = manyValued().contains(name)
    if (value instanceof Map || value instanceof List) {
        if (!several) {
            return 'is one text, not several'
        }
        for (line in lines(value)) {
            if (line.contains('\n') || line.contains('\r')) {
                return 'has an entry with a line break: one entry is one line'
            }
        }
    } else if (!(value instanceof CharSequence || value instanceof Number || value instanceof Boolean)) {
        return "takes text, a number, true or false${several ? ', or a list or map of them' : ''}"
    }
    return text(value).indexOf('\0') >= 0 ? 'has a NUL, which no variable can hold' : ''
}

/** Return a value as its variable holds it: one entry in each line. */
@NonCPS
String text(Object value) {
    return value instanceof Map || value instanceof List ? lines(value).join('\n') : value.toString()
}

@NonCPS
List<String> lines(Object value) {
    List<String> made = []
    if (value instanceof Map) {
        for (entry in value) {
            made.add("${entry.key}=${entry.value}".toString())
        }
    } else {
        for (entry in value) {
            made.add(entry.toString())
        }
    }
    return made
}

/** Return a name as it may stand in a log: somebody could have put a secret there by mistake. */
@NonCPS
String shown(String name) {
    return name ==~ /[A-Za-z][A-Za-z0-9_-]{0,39}/ ? name : '(not shown)'
}

/** Return the argument that was perhaps meant: other writing, the beginning of one, or a slip of the fingers. */
@NonCPS
String nearest(String name, List<String> known) {
    String plain = name.replaceAll('[-_]', '').toLowerCase()
    String best = ''
    int least = 3
    for (String one in known) {
        String other = one.toLowerCase()
        if (plain == other || (plain && other == plain + 'credentialsid')) {
            return one
        }
        int far = name.length() > 40 ? least : distance(plain, other)
        if (far < least) {
            least = far
            best = one
        }
    }
    return best
}

/** Return how many letters have to be put in, left out or changed. */
@NonCPS
int distance(String one, String other) {
    List<Integer> row = (0..other.length()).toList()
    for (int i = 1; i <= one.length(); i++) {
        List<Integer> next = [i]
        for (int j = 1; j <= other.length(); j++) {
            int change = row[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1)
            next.add(Math.min(change, Math.min(row[j], next[j - 1]) + 1))
        }
        row = next
    }
    return row[other.length()]
}

/** Return the outputs of a command from its dotenv file, by their names here. */
@NonCPS
Map<String, String> outputs(String dotenv) {
    Map<String, String> made = [:]
    Map<String, String> names = tables().outputs
    for (line in dotenv.readLines()) {
        int split = line.indexOf('=')
        if (split > 0 && names.containsValue(line.substring(0, split))) {
            String variable = line.substring(0, split)
            made[names.find { pair -> pair.value == variable }.key] = line.substring(split + 1)
        }
    }
    return made
}

/** Return the arguments that may be a list or a map. */
@NonCPS
List<String> manyValued() {
    return [
        // begin many
        'materials',
        'annotations',
        // end many
    ]
}

/** Return arguments and outputs with their variables. */
@NonCPS
Map<String, Map<String, String>> tables() {
    return [
        // begin tables
        connection: [
            controlPlane: 'CHAINLOOP_CONTROL_PLANE_API',
            controlPlaneCa: 'CHAINLOOP_CONTROL_PLANE_API_CA',
            insecure: 'CHAINLOOP_API_INSECURE',
            org: 'CHAINLOOP_ORGANIZATION',
            patience: 'CHAINLOOP_PATIENCE_SECONDS',
            debug: 'CHAINLOOP_DEBUG',
            localStatePath: 'CHAINLOOP_LOCAL_STATE_PATH',
            gracefulExit: 'CHAINLOOP_GRACEFUL_EXIT',
            onUnreachable: 'CHAINLOOP_ON_UNREACHABLE',
            reportDir: 'CHAINLOOP_REPORT_DIR',
            deactivateCiReport: 'CHAINLOOP_DEACTIVATE_CI_REPORT',
        ],
        install: [
            python: 'CHAINLOOP_INSTALL_PYTHON',
            packageIndex: 'CHAINLOOP_INSTALL_INDEX',
            wheels: 'CHAINLOOP_INSTALL_WHEELS',
            source: 'CHAINLOOP_INSTALL_SOURCE',
            sourceRef: 'CHAINLOOP_INSTALL_REF',
            caBundle: 'CHAINLOOP_CA_BUNDLE',
            noProxy: 'CHAINLOOP_NO_PROXY',
        ],
        craft: [
            workflow: 'CHAINLOOP_WORKFLOW_NAME',
            project: 'CHAINLOOP_PROJECT_NAME',
            contract: 'CHAINLOOP_CONTRACT',
            contractRevision: 'CHAINLOOP_CONTRACT_REVISION',
            version: 'CHAINLOOP_PROJECT_VERSION',
            attestation: 'CHAINLOOP_ATTESTATION_NAME',
            dryRun: 'CHAINLOOP_DRY_RUN',
            jobIndex: 'CHAINLOOP_JOB_INDEX',
            jobWorkflow: 'CHAINLOOP_JOB_WORKFLOW',
            materials: 'CHAINLOOP_MATERIALS',
            checksums: 'CHAINLOOP_CHECKSUMS',
            artifactList: 'CHAINLOOP_ARTIFACT_LIST',
            noStrictValidation: 'CHAINLOOP_NO_STRICT_VALIDATION',
            registryServer: 'CHAINLOOP_REGISTRY_SERVER',
            annotations: 'CHAINLOOP_ANNOTATIONS',
            bundle: 'CHAINLOOP_BUNDLE_PATH',
            jobStatus: 'CHAINLOOP_JOB_STATUS',
            replace: 'CHAINLOOP_REPLACE',
            remoteState: 'CHAINLOOP_REMOTE_STATE',
            buildWebhook: 'CHAINLOOP_BUILD_WEBHOOK_URL',
        ],
        init: [
            workflow: 'CHAINLOOP_WORKFLOW_NAME',
            project: 'CHAINLOOP_PROJECT_NAME',
            contract: 'CHAINLOOP_CONTRACT',
            contractRevision: 'CHAINLOOP_CONTRACT_REVISION',
            version: 'CHAINLOOP_PROJECT_VERSION',
            attestation: 'CHAINLOOP_ATTESTATION_NAME',
            dryRun: 'CHAINLOOP_DRY_RUN',
            jobIndex: 'CHAINLOOP_JOB_INDEX',
            jobWorkflow: 'CHAINLOOP_JOB_WORKFLOW',
            replace: 'CHAINLOOP_REPLACE',
            remoteState: 'CHAINLOOP_REMOTE_STATE',
        ],
        push: [
            annotations: 'CHAINLOOP_ANNOTATIONS',
            bundle: 'CHAINLOOP_BUNDLE_PATH',
            buildWebhook: 'CHAINLOOP_BUILD_WEBHOOK_URL',
        ],
        add: [
            value: 'CHAINLOOP_MATERIAL_VALUE',
            name: 'CHAINLOOP_MATERIAL_NAME',
            kind: 'CHAINLOOP_MATERIAL_TYPE',
            annotations: 'CHAINLOOP_MATERIAL_ANNOTATIONS',
            noStrictValidation: 'CHAINLOOP_NO_STRICT_VALIDATION',
            replace: 'CHAINLOOP_REPLACE_MATERIAL',
            registryServer: 'CHAINLOOP_REGISTRY_SERVER',
            attestationId: 'CHAINLOOP_ATTESTATION_ID',
            sealedHandle: 'CHAINLOOP_SEALED_HANDLE',
        ],
        credentials: [
            tokenCredentialsId: 'CHAINLOOP_JENKINS_TOKEN',
            keyCredentialsId: 'CHAINLOOP_JENKINS_KEY',
            keyPasswordCredentialsId: 'CHAINLOOP_JENKINS_KEY_PASSWORD',
            registryCredentialsId: 'CHAINLOOP_JENKINS_REGISTRY',
            buildWebhookCredentialsId: 'CHAINLOOP_JENKINS_BUILD_WEBHOOK',
            proxyCredentialsId: 'CHAINLOOP_JENKINS_PROXY',
        ],
        outputs: [
            runId: 'CHAINLOOP_OUTPUT_RUN_ID',
            runUrl: 'CHAINLOOP_OUTPUT_RUN_URL',
            attestationDigest: 'CHAINLOOP_OUTPUT_ATTESTATION_DIGEST',
            bundlePath: 'CHAINLOOP_OUTPUT_BUNDLE_PATH',
            state: 'CHAINLOOP_OUTPUT_STATE',
            compliant: 'CHAINLOOP_OUTPUT_COMPLIANT',
            attestationId: 'CHAINLOOP_OUTPUT_ATTESTATION_ID',
            sealedHandle: 'CHAINLOOP_OUTPUT_SEALED_HANDLE',
            missingMaterials: 'CHAINLOOP_OUTPUT_MISSING_MATERIALS',
        ],
        // end tables
    ]
}
