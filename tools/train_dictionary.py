"""Train the zstd dictionary that bodies are compressed with.

    python tools/train_dictionary.py hl7.fhir.r4.examples-4.0.1.tgz src/xinglin/records/bodies-40001.zdict

Trained on HL7's R4 examples (npm package hl7.fhir.r4.examples, CC0) and on the demonstration hospital, so that nothing of
anybody's data ships. A dictionary once released is never trained anew: give the new one the next number and add it to
``xinglin.records.bodies.DICTIONARIES``.
"""

from __future__ import annotations

import json
import random
import sys
import tarfile
from itertools import islice
from pathlib import Path

import zstandard

from xinglin.apps.demo.hospital import lines
from xinglin.records.bodies import CURRENT, LEVEL

SIZE_BYTES = 96 * 1024
LONGEST_SAMPLE = 6_000
DEMO_SAMPLES = 6_000
SEED = 1


def examples(archive: Path) -> list[bytes]:
    """The examples, minified, each as the store would have it."""
    found = []
    with tarfile.open(archive) as package:
        for member in package:
            if not member.name.endswith(".json") or member.name.endswith(("package.json", ".index.json")):
                continue
            stream = package.extractfile(member)
            assert stream is not None
            resource = json.load(stream)
            if "resourceType" not in resource or resource["resourceType"] in (
                "StructureDefinition",
                "ValueSet",
                "CodeSystem",
                "SearchParameter",
                "OperationDefinition",
                "ConceptMap",
            ):
                continue
            meta = {"versionId": "1", "lastUpdated": "2024-01-01T00:00:00.000Z"}
            resource.pop("text", None)
            body = {
                "resourceType": resource.pop("resourceType"),
                "id": resource.pop("id", "x"),
                "meta": meta,
                **resource,
            }
            found.append(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
    return found


def main(archive: str, output: str) -> None:
    """Train and write."""
    rng = random.Random(SEED)
    own = [line for line in islice(lines(60, seed=7), 40_000) if len(line) < LONGEST_SAMPLE]
    samples = [body for body in examples(Path(archive)) if len(body) < LONGEST_SAMPLE]
    samples += rng.sample(own, min(DEMO_SAMPLES, len(own)))
    rng.shuffle(samples)
    print(f"{len(samples)} samples, {sum(map(len, samples))} bytes")
    dictionary = zstandard.train_dictionary(SIZE_BYTES, samples, dict_id=CURRENT, level=LEVEL, threads=1)
    Path(output).write_bytes(dictionary.as_bytes())
    packed = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
    print(f"ratio {sum(len(packed.compress(s)) for s in samples) / sum(map(len, samples)):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
