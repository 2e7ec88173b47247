"""Coverage-guided fuzzing of every parser that reads foreign bytes: `make fuzz`, or `python -m tests.fuzz NAME …`.

A parser may refuse any bytes with an error of ours; nothing else may come out of it: no other exception, no hang, no
memory beyond the limit. `tests/integration/test_fuzz_targets.py` runs each target over its seeds without the fuzzer.
"""
