package chainloop

import com.lesfurets.jenkins.unit.cps.BasePipelineTestCPS
import com.lesfurets.jenkins.unit.cps.PipelineTestHelperCPS
import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized

/**
 * Plays each pipeline of a folder, and writes down how it ended. Who made the folder looks at that; a pipeline that
 * fails is no failed test. Steps are checked as CPS: whatever is alive between two of them must be serializable.
 */
@RunWith(Parameterized)
class PipelinesTest extends BasePipelineTestCPS {
    private final File folder

    PipelinesTest(String name) {
        folder = new File(System.getProperty('pipelines'), name)
    }

    @Parameterized.Parameters(name = '{0}')
    static Collection<Object[]> pipelines() {
        String place = System.getProperty('pipelines')
        return place ? (new File(place).list() as List).sort().collect { [it] as Object[] } : []
    }

    @Before
    void prepare() {
        Map facts = (Map) new JsonSlurper().parse(new File(folder, 'facts.json'))
        setHelper(new Helper(checks: facts.serializable))
        setScriptExtension('groovy')
        setScriptRoots([new File(System.getProperty('library'), 'vars').path, folder.path] as String[])
        super.setUp()
    }

    @Test
    void plays() {
        Map facts = (Map) new JsonSlurper().parse(new File(folder, 'facts.json'))
        Agent agent = new Agent(folder, facts, helper)
        binding.setVariable('env', agent.env)
        binding.setVariable('params', facts.params)
        binding.setVariable('scm', [:])
        binding.setVariable('currentBuild', [currentResult: facts.result ?: 'SUCCESS'])
        agent.registerSteps()
        loadLibrary()
        Map ending = [result: 'SUCCESS']
        try {
            helper.callClosure(loadScript('pipeline.groovy').pipeline())
        } catch (Throwable failure) {
            ending = [result: 'FAILURE', type: failure.class.name, message: failure.message,
                      cause: failure.cause?.toString(), trace: trace(failure)]
        }
        ending.log = agent.log.toString()
        new File(folder, 'ending.json').text = JsonOutput.toJson(ending)
    }

    /** Make the steps of the library callable, as global variables are in a pipeline. */
    private void loadLibrary() {
        new File(System.getProperty('library'), 'vars').list().findAll { it.endsWith('.groovy') }.each { file ->
            String name = file - '.groovy'
            Script step = loadScript(file)
            binding.setVariable(name, step)
            step.class.methods.findAll { it.name == 'call' }.each { method ->
                helper.registerAllowedMethod(name, method.parameterTypes as List) { Object... given ->
                    step.metaClass.getMetaMethod('call', given).doMethodInvoke(step, given)
                }
            }
        }
    }

    /** Long loops can do without the check, which other pipelines of the same steps make. */
    static class Helper extends PipelineTestHelperCPS {
        boolean checks

        @Override
        Object roundtripSerialization(Object state) {
            return checks ? super.roundtripSerialization(state) : state
        }
    }

    private static String trace(Throwable failure) {
        StringWriter text = new StringWriter()
        failure.printStackTrace(new PrintWriter(text))
        return text.toString().readLines().findAll { !it.startsWith('\tat ') || it.contains('.groovy:') }.take(60).join('\n')
    }
}
