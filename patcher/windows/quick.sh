# How programs for Windows are built for tests: for two targets and run a few times, optimised as our manifest has it they
# would compile for longer than they run. Only where bytes are counted by the million that is worth its time.
quick=(--config 'profile.dev.opt-level = 0' --config 'profile.dev.debug = false'
  --config 'profile.dev.package."*".opt-level = 0' --config 'profile.dev.package.qfe-patcher.opt-level = 0')
for package in bsdiff libbz2-rs-sys miniz_oxide sha2; do
  quick+=(--config "profile.dev.package.$package.opt-level = 2")
done
