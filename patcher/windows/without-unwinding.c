/* What the standard library calls of the C compiler's unwinding. Nothing unwinds where a panic aborts, and there are no
   tables (see `without-unwind-tables.ld`), but the library refers to it, and 20 KB would be linked. */
#define NEVER_CALLED(name) void name(void) { __builtin_trap(); }
NEVER_CALLED(_Unwind_GetDataRelBase)
NEVER_CALLED(_Unwind_GetIPInfo)
NEVER_CALLED(_Unwind_GetLanguageSpecificData)
NEVER_CALLED(_Unwind_GetRegionStart)
NEVER_CALLED(_Unwind_GetTextRelBase)
NEVER_CALLED(_Unwind_SetGR)
NEVER_CALLED(_Unwind_SetIP)
