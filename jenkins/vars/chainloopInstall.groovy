// Put the command onto this agent, for the steps inside. What it takes: chainloopInstall.txt.

Object call(Closure body) {
    return call([:], body)
}

Object call(Map given = [:], Closure body = null) {
    chainloopStep.check('chainloopInstall', given)
    Object result = null
    chainloopStep.around('chainloopInstall', given) {
        result = body ? body() : env.CHAINLOOP_JENKINS_PROGRAMS
    }
    return result
}
