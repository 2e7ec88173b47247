// Craft, sign and store the attestation of this build in one step. What it takes: chainloopAttest.txt.

Map call(Map given = [:]) {
    chainloopStep.check('chainloopAttest', given)
    Map outputs = [:]
    chainloopStep.around('chainloopAttest', given) {
        List<String> variables = chainloopArguments.environment(['craft'], given)
        if (given.jobStatus == null && !env.CHAINLOOP_JOB_STATUS) {
            variables = variables + ["CHAINLOOP_JOB_STATUS=${currentBuild.currentResult}".toString()]
        }
        outputs = chainloopStep.command('craft', variables)
    }
    return outputs
}
