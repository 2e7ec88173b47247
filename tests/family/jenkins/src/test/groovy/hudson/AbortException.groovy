package hudson

/** What Jenkins throws for `error` and for a script that fails. */
class AbortException extends IOException {
    AbortException(String message) {
        super(message)
    }
}
