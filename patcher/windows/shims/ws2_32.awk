# Writes the source of a ws2_32.dll of 32 bits in which every call fails, from the symbols of its import library.
#
# That of Wine 8 does not start in a program of 32 bits on a system of 64, and Rust's test harness imports it; no test
# opens a socket. Each function must still take its arguments off the stack: their bytes are in its name.
BEGIN { print ".text" }
/ T _[^@]+@[0-9]+$/ && !seen[$3]++ {
  split(substr($3, 2), part, "@")
  result = -1
  if (part[1] ~ /^WSA(Startup|Cleanup)$/) result = 0
  if (part[1] == "WSAGetLastError") result = 10050 # The network is down.
  printf ".globl %s\n%s:\n movl $%d, %%eax\n ret $%s\n", $3, $3, result, part[2]
}
END { print ".globl _DllMain@12\n_DllMain@12:\n movl $1, %eax\n ret $12" }
