# chainloop: keep what was queued
# With the reports it becomes an artifact; the job's folder does not outlive the job.
for chainloop_file in chainloop-queued-*; do
  if [ -e "$chainloop_file" ]; then cp -R "$chainloop_file" "$CHAINLOOP_REPORT_DIR/"; fi
done
