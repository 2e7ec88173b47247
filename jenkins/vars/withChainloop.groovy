// Begin an attestation, run what is inside, and finish it in every ending. What it takes: withChainloop.txt.

import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

Object call(Closure body) {
    return call([:], body)
}

Object call(Map given, Closure body) {
    chainloopStep.check('withChainloop', given)
    Object result = null
    chainloopStep.around('withChainloop', given) {
        List<String> push = chainloopArguments.environment(['push'], given)
        Map begun = chainloopStep.command('init', chainloopArguments.environment(['init'], given))
        withEnv(chainloopArguments.shared(begun)) {
            try {
                result = body()
                chainloopStep.command('push', push + status(currentBuild.currentResult))
            } catch (FlowInterruptedException interruption) {
                // An abort, and also a timeout or a newer build: Jenkins calls all of them aborted.
                end(push + status(interruption.result.toString() == 'FAILURE' ? 'FAILURE' : 'ABORTED'))
                throw interruption
            } catch (Throwable failure) {
                end(push + status('FAILURE'))
                throw failure
            }
        }
    }
    return result
}

List<String> status(String word) {
    return ["CHAINLOOP_JOB_STATUS=${word}".toString()]
}

// The build's own error is what people have to see: one of ours is no more than a line of the log.
void end(List<String> variables) {
    try {
        chainloopStep.command('push', variables)
    } catch (Throwable second) {
        echo "withChainloop: the attestation could not be ended (${second.message}); it ends when its time is over"
    }
}
