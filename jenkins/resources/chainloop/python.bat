@echo off
rem What the step was given are variables that only install.py reads: cmd would take their text for commands.
where py >nul 2>nul && (py -3 -I -B -X utf8 "%WORKSPACE_TMP%\chainloop-install.py" & exit /b)
where python >nul 2>nul && (python -I -B -X utf8 "%WORKSPACE_TMP%\chainloop-install.py" & exit /b)
echo chainloopInstall: no Python 3.11 or newer is on this agent. Install one, run the step on another agent, or put the command on its PATH. 1>&2
exit /b 1
