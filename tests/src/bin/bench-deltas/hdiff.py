# HDiffPatch through its package: hdiff.py encode OLD NEW PATCH, hdiff.py decode OLD PATCH NEW.
import sys

import hdiffpatch

what, old, source, target = sys.argv[1:]
with open(old, "rb") as file:
    old = file.read()
with open(source, "rb") as file:
    source = file.read()
if what == "encode":
    # The smallest that one of its compressors makes of what is found once.
    first, *others = [
        config.best_compression()
        for config in (hdiffpatch.LzmaConfig, hdiffpatch.BrotliConfig, hdiffpatch.ZStdConfig)
    ]
    delta = hdiffpatch.diff(old, source, compression=first, validate=False)
    made = min([delta] + [hdiffpatch.recompress(delta, config) for config in others], key=len)
else:
    made = hdiffpatch.apply(old, source)
with open(target, "wb") as file:
    file.write(made)
