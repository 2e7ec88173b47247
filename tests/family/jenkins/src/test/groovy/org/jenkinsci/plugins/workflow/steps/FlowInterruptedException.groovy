package org.jenkinsci.plugins.workflow.steps

/** What Jenkins throws into a step that it interrupts: somebody's abort, a timeout, a newer build. */
class FlowInterruptedException extends Exception {
    final String result

    FlowInterruptedException(String result) {
        super(result)
        this.result = result
    }
}
