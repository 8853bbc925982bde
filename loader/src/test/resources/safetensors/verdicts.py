"""Writes verdicts.json: what the safetensors library (0.8.0) says of the files that SafetensorsMutations makes.

verdicts.py CLASSPATH   (classes and test classes of the loader, and Gson)
"""
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

import safetensors

FILES = 4000
here = os.path.dirname(os.path.abspath(__file__))


def accepts(file):
    try:
        safetensors.deserialize(file)
        return True
    except safetensors.SafetensorError:
        return False


seeds = {}
for seed in (1, 2, 3):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "files")
        main = "dev.tiller.loader.SafetensorsMutationTest"
        subprocess.run(["java", "-cp", sys.argv[1], main, str(seed), str(FILES), path], check=True)
        packed = open(path, "rb").read()
    at, verdicts = 0, ""
    while at < len(packed):
        (length,) = struct.unpack_from("<I", packed, at)
        verdicts += "01"[accepts(packed[at + 4 : at + 4 + length])]
        at += 4 + length
    seeds[str(seed)] = {"sha256": hashlib.sha256(packed).hexdigest(), "accepted": verdicts}
with open(os.path.join(here, "verdicts.json"), "w") as out:
    json.dump({"library": safetensors.__version__, "seeds": seeds}, out, indent=1)
    out.write("\n")
print({s: (len(v["accepted"]), v["accepted"].count("1")) for s, v in seeds.items()})
