# Steps of CI: each is told as it begins, and at the end how long it took and how many tests passed in it.
# `results` is a folder for that.

# Runs a step: its name, then a command. Each test of it is one that counts.
step() {
  local name="$1" began=$SECONDS output status=0
  shift
  printf '\n== %s: %s\n' "$(date +%T)" "$name"
  output="$(mktemp -p "$results")"
  "$@" 2>&1 | tee "$output" || status=$?
  # Programs for Windows end their lines in their own way.
  tr -d '\r' <"$output" | awk -v name="$name" -v seconds=$((SECONDS - began)) '
    /^test result: / { passed += $4; failed += $6; ignored += $8 }
    END {
      tests = passed + failed == 0 ? "" : passed " tests passed" (ignored ? ", " ignored " ignored" : "") (failed ? ", " failed " FAILED" : "")
      printf "%5d s  %-52s %s\n", seconds, name, tests
    }' >>"$results/summary"
  [ $status = 0 ] || printf '== %s: FAILED: %s\n' "$(date +%T)" "$name"
  return $status
}
