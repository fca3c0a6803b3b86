"""VCF text and BCF read the slow way, a record and a call at a time, with a choice for every kind of odd input.

What is behind ALT but GT is not looked at: QUAL, FILTER, INFO and other FORMATs; of BCF neither the length on the
reference, nor what stands behind GT in a record.
"""

import re
from collections import Counter
from fractions import Fraction

BASES = r"[A-Za-z]+"
UNKNOWN = ("N", "<ALT>")


class Damaged(Exception):
    """What no choice accepts."""


class Refused(Exception):
    """Input of kinds whose choice is "error"; `kinds` are all of them."""

    def __init__(self, kinds):
        super().__init__(kinds)
        self.kinds = kinds


def read(data, choices, *, region=None, samples=None, maf=None):
    """{contig, position, id, ref, alt, calls and observed (per site, two a person taken), phased, names, changes}."""
    choice = dict.fromkeys(
        ("multiallelic", "symbolic", "unphased", "missing", "haploid", "duplicate", "unsorted", "text"), "error"
    )
    choice.update(choices)
    refused, changes = set(), {}

    def count(kind, **numbers):
        for what, number in numbers.items():
            if any(numbers.values()):
                changes.setdefault(kind, Counter())[what] += number

    def judge(kind, site):
        """Whether a site with something odd stays."""
        if choice[kind] == "error":
            refused.add(kind)
            return False
        if choice[kind] == "skip":
            count(kind, **site)
            return False
        return True

    if data.startswith(b"BCF"):
        names, records = _bcf(data)
    else:
        names, lines = _lines(data, choice, refused, count)
        records = [_record(line, len(names)) for line in lines]
    taken = [i for i, name in enumerate(names) if samples is None or name in samples]
    seen, furthest = {}, (0, 0)
    behind = 0
    for record in records:
        inside = region is None or (record["contig"] == region[0] and region[1] <= record["position"] <= region[2])
        record["inside"] = inside
        if choice["unsorted"] == "sort" and not inside:
            continue
        place = (seen.setdefault(record["contig"], len(seen)), record["position"])
        behind += place < furthest
        furthest = max(furthest, place)
    if behind and choice["unsorted"] == "error":
        refused.add("unsorted")
    elif behind:
        count("unsorted", records=behind)
    sites, there = [], set()
    for record in records:
        if not record["inside"]:
            continue
        alts = record["alts"]
        ploidy = [len(call[0]) for call in record["calls"]]
        if max(ploidy) > 2 or max((a for call in record["calls"] for a in call[0] if a != "."), default=0) > len(alts):
            raise Damaged(record["position"])
        numbers = list(range(1, len(alts) + 1)) or [1]
        if len(alts) > 1:
            if choice["multiallelic"] == "error":
                refused.add("multiallelic")
                continue
            count("multiallelic", records=1, **({"sites": len(alts)} if choice["multiallelic"] == "split" else {}))
            if choice["multiallelic"] == "skip":
                continue
            if choice["multiallelic"] == "major":
                have = Counter(a for i in taken for a in record["calls"][i][0] if a not in (".", 0))
                numbers = [max(numbers, key=lambda number: (have[number], -number))]
        for number in numbers:
            alt = alts[number - 1] if alts else "."
            if not re.fullmatch(BASES, alt) and (record["ref"], alt) != UNKNOWN:
                if not judge("symbolic", {"sites": 1}):
                    continue
                count("symbolic", sites=1)
            key = (record["contig"], record["position"], record["ref"], alt)
            if key in there and (record["ref"], alt) != UNKNOWN and not judge("duplicate", {"sites": 1}):
                continue
            there.add(key)
            sites.append((*key, record["id"], number, [record["calls"][i] for i in taken]))
    result = {"contig": [], "position": [], "id": [], "ref": [], "alt": [], "calls": [], "observed": []}
    phased = [True] * len(taken)
    for contig, position, ref, alt, name, number, calls in sites:
        pairs, bars, doubled, filled = [], [], 0, 0
        for alleles, bar in calls:
            mine = [a if a == "." else int(a == number) for a in alleles]
            if len(mine) == 1 and mine != ["."]:
                doubled += 1
            pairs.append(mine * 2 if len(mine) == 1 else mine)
            bars.append(bar if len(alleles) == 2 and alleles != [".", "."] else "|")
        if doubled and not judge("haploid", {"sites": 1}):
            continue
        have = Counter(a for pair in pairs for a in pair)
        called = (
            [int(a != ".") for pair in pairs for a in pair] if choice["missing"] == "mask" else [1] * 2 * len(pairs)
        )
        filled = have["."]
        if filled:
            if not judge("missing", {"sites": 1}):
                continue
            common = int(have[1] > have[0] and choice["missing"] == "major")
            pairs = [[common if a == "." else a for a in pair] for pair in pairs]
        slashes = [i for i, bar in enumerate(bars) if bar == "/"]
        loose = [i for i in slashes if pairs[i][0] != pairs[i][1] or called[2 * i] != called[2 * i + 1]]
        odd = slashes if choice["unphased"] == "error" else loose
        if odd and not judge("unphased", {"sites": 1}):
            continue
        row = [a for pair in pairs for a in pair]
        if maf and (not any(called) or Fraction(min(sum(row), sum(called) - sum(row)), sum(called)) < maf):
            continue
        if doubled:
            count("haploid", calls=doubled, sites=1)
        if filled:
            count("missing", alleles=filled, sites=1)
        if loose:
            count("unphased", calls=len(loose), sites=1)
        for i in loose:
            phased[i] = False
        for what, value in zip(result, (contig, position, name, ref, alt, row, called), strict=True):
            result[what].append(value)
    if refused:
        raise Refused(refused)
    rank = sorted(range(len(result["position"])), key=lambda j: (seen[result["contig"][j]], result["position"][j]))
    result = {what: [values[j] for j in rank] for what, values in result.items()}
    unknown = [pair == UNKNOWN for pair in zip(result["ref"], result["alt"], strict=True)]
    for what in ("ref", "alt"):
        result[what] = ["." if u else value for u, value in zip(unknown, result[what], strict=True)]
    return {**result, "phased": phased, "names": [names[i] for i in taken], "changes": changes}


def _lines(data, choice, refused, count):
    """(sample names, lines of records), without what is accepted around them."""
    if b"\0" in data:
        raise Damaged("NUL")
    odd = 0
    if data.startswith(b"\xef\xbb\xbf"):
        data, odd = data[3:], odd + 1
    text = data.decode(errors="surrogateescape")  # the columns that are read must be UTF-8
    if not text.endswith("\n"):
        raise Damaged("cut")
    lines = text.split("\n")[:-1]
    odd += sum(line.endswith("\r") and line != "\r" for line in lines)
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
        odd += 1
    head = next((j for j, line in enumerate(lines) if not line.startswith("##")), None)
    if head is None or not lines[head].startswith("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"):
        raise Damaged("header")
    if head == 0:
        odd += 1
    elif not lines[0].startswith("##fileformat=VCFv4"):
        raise Damaged("fileformat")
    names = _names(lines[head])
    if odd and choice["text"] == "error":
        refused.add("text")
    elif odd:
        count("text", lines=odd)
    return names, lines[head + 1 :]


def _names(line):
    names = line.split("\t")[9:]
    if len(set(names)) < len(names) or "" in names or _has_other_bytes(names):
        raise Damaged("names")
    return names


def _check_alleles(ref, alts):
    if not re.fullmatch(BASES, ref):
        raise Damaged("REF")
    for allele in alts:
        breakend = re.fullmatch(r"[A-Za-z.]*[\[\]][^\[\]\s]+[\[\]][A-Za-z.]*|[A-Za-z]+\.|\.[A-Za-z]+", allele)
        if not (re.fullmatch(rf"{BASES}|<[^<>\s]+>|\*|\.", allele) or breakend):
            raise Damaged("ALT")


def _has_other_bytes(texts):
    return any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)


def _record(line, num_persons):
    columns = line.split("\t")
    if len(columns) != 9 + num_persons or line.startswith("#"):
        raise Damaged("columns")
    contig, position, name, ref, alt, _, _, _, keys = columns[:9]
    if _has_other_bytes(columns[:5]):
        raise Damaged("UTF-8")
    if not re.fullmatch("[0-9]+", position) or not 1 <= int(position) < 2**31 or not contig or not name:
        raise Damaged("position")
    if keys.split(":")[0] != "GT":
        raise Damaged("GT")
    alts = [] if alt == "." else alt.split(",")
    _check_alleles(ref, alts)
    calls = []
    for column in columns[9:]:
        text = column.split(":")[0]
        if not re.fullmatch(r"(?:[0-9]+|\.)(?:[|/](?:[0-9]+|\.))*", text):
            raise Damaged("call")
        alleles = [a if a == "." else int(a) for a in re.split(r"[|/]", text)]
        calls.append((alleles, "/" if "/" in text else "|"))
    return {
        "contig": contig, "position": int(position), "id": name, "ref": ref, "alts": alts, "calls": calls
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- BCF


class _Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Damaged("cut")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, size, signed=True):
        return int.from_bytes(self.take(size), "little", signed=signed)

    def scalar(self):
        sizes = {0x11: 1, 0x12: 2, 0x13: 4}
        kind = self.integer(1, signed=False)
        if kind not in sizes:
            raise Damaged("no integer")
        return self.integer(sizes[kind])

    def typed(self):
        """(type, number of values)."""
        kind = self.integer(1, signed=False)
        return kind & 15, self.scalar() if kind >> 4 == 15 else kind >> 4

    def text(self):
        kind, length = self.typed()
        if (kind, length) == (0, 0):
            return "."
        if kind != 7:
            raise Damaged("no text")
        text = self.take(length).decode(errors="surrogateescape") or "."
        if _has_other_bytes([text]) or re.search(r"[\0-\x20]", text):
            raise Damaged("text")
        return text


def _bcf(data):
    """(sample names, records)."""
    stream = _Bytes(data)
    if stream.take(5) not in (b"BCF\x02\x01", b"BCF\x02\x02"):
        raise Damaged("magic")
    text = stream.take(stream.integer(4, signed=False)).rstrip(b"\0").decode(errors="surrogateescape")
    if "\0" in text or "\r" in text or not text.endswith("\n"):
        raise Damaged("header")
    *lines, last = text[:-1].split("\n")
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    if not lines or not lines[0].startswith("##fileformat=VCFv4") or not last.startswith(columns):
        raise Damaged("header")
    names = _names(last)
    contigs, keys = {}, {"PASS": 0}
    for line in lines:
        if not (found := re.match(r"##(contig|FILTER|INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+)", line)):
            continue
        place = re.search(r",IDX=([0-9]+)>\s*$", line)
        if found[1] == "contig":
            number = int(place[1]) if place else len(contigs)
            if number in contigs or found[2] in contigs.values() or _has_other_bytes([found[2]]):
                raise Damaged("contigs")
            contigs[number] = found[2]
        elif found[2] not in keys:
            number = int(place[1]) if place else max(keys.values()) + 1
            if number in keys.values():
                raise Damaged("keys")
            keys[found[2]] = number
    if "GT" not in keys:
        raise Damaged("no GT")
    records = []
    while stream.at < len(data):
        before, of_calls = stream.integer(4, signed=False), stream.integer(4, signed=False)
        if before < 24:
            raise Damaged("record")
        records.append(_bcf_record(_Bytes(stream.take(before)), _Bytes(stream.take(of_calls)), contigs, keys, names))
    return names, records


def _bcf_record(shared, single, contigs, keys, names):
    contig, start = shared.integer(4), shared.integer(4)
    shared.take(8)
    counts, of_samples = shared.integer(4, signed=False), shared.integer(4, signed=False)
    position = start + 1
    if contig not in contigs or not 1 <= position < 2**31 or of_samples & 0xFFFFFF != len(names):
        raise Damaged("record")
    name = shared.text()
    alleles = [shared.text() for _ in range(counts >> 16)]
    if not alleles or any("," in allele for allele in alleles):
        raise Damaged("alleles")
    ref, *alts = alleles
    alts = [] if alts == ["."] else alts
    _check_alleles(ref, alts)
    for _ in range(of_samples >> 24):
        key, (kind, length) = single.scalar(), single.typed()
        size = {0: 0, 1: 1, 2: 2, 3: 4, 5: 4, 7: 1}.get(kind)
        if size is None or length < 0 or (kind == 0 and length):
            raise Damaged("type")
        values = _Bytes(single.take(len(names) * length * size))
        if key == keys["GT"]:
            break
    else:
        raise Damaged("no GT")
    if kind not in (1, 2, 3) or not length:
        raise Damaged("GT")
    calls = []
    for _ in names:
        call = [values.integer(size) for _ in range(length)]
        end = -(1 << (8 * size - 1)) + 1
        while call and call[-1] == end:
            call.pop()
        if not 1 <= len(call) <= 2 or min(call) < 0:
            raise Damaged("call")
        alleles = [value // 2 - 1 if value > 1 else "." for value in call]
        calls.append((alleles, "/" if len(call) == 2 and not call[1] & 1 else "|"))
    return {"contig": contigs[contig], "position": position, "id": name, "ref": ref, "alts": alts, "calls": calls}
