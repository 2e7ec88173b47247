from server.admin.backup_progress import Progress


def test_progress_is_said_now_and_then():
    said, now = [], [0.0]
    progress = Progress(said.append, lambda: now[0])
    report = progress.of("artifacts", "bytes")

    for second in range(9):
        now[0] = float(second)
        report(second, 8)
    report(0, 0)

    assert said == ["artifacts: 25 % (2 of 8 bytes)\n", "artifacts: 87 % (7 of 8 bytes)\n"]
