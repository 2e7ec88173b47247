@echo off
where chainloop >nul 2>nul && goto found
echo chainloop: there is no command `chainloop` on this agent. Give the step the argument `source`, use chainloopInstall around it, or put the command on the agent's PATH. 1>&2
exit /b 1
:found
