// Add one material inside withChainloop. What it takes: chainloopAdd.txt.

Map call(Map given = [:]) {
    chainloopStep.check('chainloopAdd', given)
    Map outputs = [:]
    chainloopStep.around('chainloopAdd', given) {
        outputs = chainloopStep.command('add', chainloopArguments.environment(['add'], given))
    }
    return outputs
}
