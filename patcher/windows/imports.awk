# Reads imports.txt and then `objdump -p` of a program: tells the oldest Windows whose names it has, by its import table,
# and fails (1) for an import that the list does not know or that is newer than `limit`.
FNR == NR { if ($0 !~ /^#/ && NF == 3) since[tolower($1) " " $2] = $3; next }
/DLL Name:/ { dll = tolower($3) }
/^\t[0-9a-f]+\t/ && dll {
  imports++
  name = dll " " $NF
  version = (name in since) ? since[name] : since[dll " *"]
  if (version == "") { unknown = unknown "\n    unknown: " name; next }
  if (version + 0 > limit + 0) { unknown = unknown "\n    newer than " limit ": " name " (" version ")" }
  if (version + 0 > newest + 0) { newest = version; names = "" }
  if (version == newest) names = names " " $NF
}
END {
  if (!imports) unknown = "\n    no imports at all: that was no program for Windows"
  split("5.1 XP|6.0 Vista|6.1 7|6.2 8|6.3 8.1|10.0 10", versions, "|")
  for (i in versions) { split(versions[i], word, " "); label[word[1]] = word[2] }
  printf "imports are there since Windows %s:%s%s\n", label[newest], names, unknown
  exit unknown != ""
}
