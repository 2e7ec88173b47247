package chainloop

import com.lesfurets.jenkins.unit.PipelineTestHelper
import groovy.io.FileType
import hudson.AbortException
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/**
 * An agent with a workspace: the steps of Jenkins that the library uses. Scripts are run by a real shell. Nothing masks
 * secrets here, so that a test sees what would have been shown. Sources: the steps' own code (workflow-basic-steps,
 * durable-task, credentials-binding).
 */
class Agent {
    final LinkedHashMap<String, String> env = [:]
    final StringBuilder log = new StringBuilder()
    private final Map facts
    private final PipelineTestHelper helper
    private final File folder
    private File workspace
    private File temporary

    Agent(File folder, Map facts, PipelineTestHelper helper) {
        this.facts = facts
        this.helper = helper
        this.folder = folder
        env.putAll((Map<String, String>) facts.env)
        env.putAll(enter(folder))
    }

    void registerSteps() {
        helper.registerAllowedMethod('node', [Closure]) { Closure body -> helper.callClosure(body) }
        helper.registerAllowedMethod('node', [String, Closure]) { String label, Closure body -> elsewhere(label, body) }
        helper.registerAllowedMethod('checkout', [Map]) { Map scm -> checkout() }
        helper.registerAllowedMethod('stage', [String, Closure]) { String name, Closure body -> helper.callClosure(body) }
        helper.registerAllowedMethod('echo', [String]) { String text -> log.append(text).append('\n') }
        helper.registerAllowedMethod('error', [String]) { String text -> throw new AbortException(text) }
        helper.registerAllowedMethod('interrupt', [String]) { String word -> throw new FlowInterruptedException(word) }
        helper.registerAllowedMethod('isUnix', []) { -> facts.unix != false }
        helper.registerAllowedMethod('pwd', [Map]) { Map given -> given.tmp ? temporary.path : workspace.path }
        helper.registerAllowedMethod('libraryResource', [String]) { String name ->
            new File(System.getProperty('library'), "resources/${name}").getText('UTF-8')
        }
        registerFiles()
        registerScripts()
        registerEnvironment()
    }

    /** Take a workspace, and return what a build's environment says of it. */
    private Map<String, String> enter(File place) {
        workspace = new File(place, 'workspace')
        temporary = new File(place, 'workspace@tmp')
        workspace.mkdirs()
        temporary.mkdirs()
        return [WORKSPACE: workspace.path, WORKSPACE_TMP: temporary.path]
    }

    /** Run on another agent: its files are its own, and so is its user's home. */
    private Object elsewhere(String label, Closure body) {
        List<File> before = [workspace, temporary]
        File place = new File(folder, "agents/${label}")
        try {
            return within(enter(place) + [NODE_NAME: label, HOME: new File(place, 'home').path], body)
        } finally {
            (workspace, temporary) = before
        }
    }

    private void checkout() {
        File sources = new File(folder, 'sources')
        sources.eachFileRecurse(FileType.FILES) { File source ->
            File target = new File(workspace, sources.toPath().relativize(source.toPath()).toString())
            target.parentFile.mkdirs()
            target.bytes = source.bytes
        }
    }

    private void registerFiles() {
        helper.registerAllowedMethod('writeFile', [Map]) { Map given ->
            place(given.file).parentFile.mkdirs()
            place(given.file).setText(given.text.toString(), 'UTF-8')
        }
        helper.registerAllowedMethod('readFile', [Map]) { Map given -> place(given.file).getText('UTF-8') }
    }

    private void registerScripts() {
        helper.registerAllowedMethod('sh', [String]) { String script -> shell([script: script]) }
        helper.registerAllowedMethod('sh', [Map]) { Map given -> shell(given) }
        // There is no cmd here: what it would be given is written down.
        helper.registerAllowedMethod('bat', [Map]) { Map given ->
            log.append("bat: ${given.script}\n")
            return given.returnStdout ? 'C:\\agent>answer\r\nC:\\programs\r\n' : null
        }
    }

    private void registerEnvironment() {
        helper.registerAllowedMethod('withEnv', [List, Closure]) { List pairs, Closure body ->
            within(pairs.collectEntries { pair ->
                int split = pair.toString().indexOf('=')
                assert split > 0: 'withEnv refuses what has no ='
                [pair.toString().substring(0, split), pair.toString().substring(split + 1)]
            }, body)
        }
        ['string', 'file', 'usernamePassword'].each { kind ->
            helper.registerAllowedMethod(kind, [Map]) { Map given -> [kind: kind] + given }
        }
        helper.registerAllowedMethod('withCredentials', [List, Closure]) { List bindings, Closure body ->
            within(bindings.collectEntries { bound(it) }, body)
        }
    }

    /** As hudson.EnvVars.override: NAME+ANYTHING goes before a path, and an empty value takes the variable away. */
    private Object within(Map<String, String> overrides, Closure body) {
        Map<String, String> before = new LinkedHashMap<>(env)
        overrides.each { name, value ->
            if (!value) {
                env.remove(name)
            } else if (name.contains('+')) {
                String list = name.substring(0, name.indexOf('+'))
                env[list] = env[list] ? "${value}${File.pathSeparator}${env[list]}".toString() : value
            } else {
                env[name] = value
            }
        }
        try {
            return helper.callClosure(body)
        } finally {
            env.clear()
            env.putAll(before)
        }
    }

    private Map<String, String> bound(Map wanted) {
        Map credential = (Map) facts.credentials[wanted.credentialsId]
        if (credential == null) {
            throw new AbortException("Could not find credentials entry with ID '${wanted.credentialsId}'")
        }
        if (credential.kind != wanted.kind) {
            throw new AbortException("Credentials '${wanted.credentialsId}' is of type ${credential.kind}")
        }
        if (wanted.kind == 'usernamePassword') {
            return [(wanted.usernameVariable): credential.username, (wanted.passwordVariable): credential.value]
        }
        return [(wanted.variable): credential.value]
    }

    /** As durable-task: a script with a first line of its own is a program, another one is read by `sh -xe`. */
    private Object shell(Map given) {
        String text = given.script.toString()
        File file = File.createTempFile('script', '.sh', temporary)
        file.setText(text, 'UTF-8')
        file.executable = true
        ProcessBuilder builder = new ProcessBuilder(text.startsWith('#!') ? [file.path] : ['sh', '-xe', file.path])
        builder.directory(workspace)
        builder.environment().clear()
        builder.environment().putAll(env)
        File printed = File.createTempFile('stdout', '', temporary)
        File said = File.createTempFile('stderr', '', temporary)
        Process process = builder.redirectOutput(printed).redirectError(said).start()
        process.outputStream.close()
        int status = process.waitFor()
        log.append(given.returnStdout ? '' : printed.getText('UTF-8')).append(said.getText('UTF-8'))
        String stdout = printed.getText('UTF-8')
        [file, printed, said]*.delete()
        if (given.returnStatus) {
            return status
        }
        if (status != 0) {
            throw new AbortException("script returned exit code ${status}")
        }
        return given.returnStdout ? stdout : null
    }

    private File place(Object name) {
        File file = new File(name.toString())
        return file.absolute ? file : new File(workspace, name.toString())
    }
}
