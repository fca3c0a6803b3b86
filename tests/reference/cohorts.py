"""HAPT, FASTA, NumPy archives, .hapz, VCF Zarr, tree sequences and genetic maps, read value by value and strictly.

Each reader takes a path and gives a dict of what the file says: sites as (contig, position, id, ref, alt), values as a
list of 0 and 1 for each site, haplotypes (ids), samples (the person of each haplotype), phased (of each person). A
ValueError for whatever is not a clean file.
"""

import hashlib
import io
import json
import math
import re
import tempfile
import tokenize
import zipfile
from pathlib import Path

import google_crc32c
import numcodecs
import numpy as np

from reference.containers import content

BASES = "[A-Za-z]+"
POSITION_LIMIT = 2**62


def need(condition, what=""):
    if not condition:
        raise ValueError(what)


def check_order(sites, limit=POSITION_LIMIT):
    """Contigs in blocks, ascending positions, no known record twice."""
    seen, finished, last = set(), set(), None
    for contig, position, _, ref, alt in sites:
        need(1 <= position < limit, "position")
        if last and last[0] != contig:
            finished.add(last[0])
        else:
            need(not last or last[1] <= position, "order")
        need(contig not in finished, "blocks")
        need("." in (ref, alt) or (contig, position, ref, alt) not in seen, "twice")
        seen.add((contig, position, ref, alt))
        last = (contig, position)


def persons_of(haplotypes):
    """The person of each haplotype: by the endings of the ids, else rows 2i and 2i + 1."""
    pairs = [haplotypes[i : i + 2] for i in range(0, len(haplotypes), 2)]
    names = []
    for pair in pairs:
        for first, second in (("_A", "_B"), (".1", ".2"), ("_1", "_2")):
            stem = pair[0][:-2]
            if stem and pair[0].endswith(first) and pair[1:] in ([], [stem + second]):
                names.append(stem)
    if len(names) < len(pairs) or len(set(names)) < len(names):
        names = [f"sample{i}" for i in range(len(pairs))]
    return [name for name, pair in zip(names, pairs, strict=True) for _ in pair]


def _text_lines(data):
    """Fields of lines; CR LF is taken, and a last line without line feed if it is not the only one."""
    need(not any(byte < 32 and byte not in b"\t\n\r" for byte in data), "control characters")
    need(not data.startswith(b"\xef\xbb\xbf"), "byte-order mark")
    lines = data.decode().split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    need(not any("\r" in line for line in lines), "CR")
    if not lines[-1].strip(" \t"):
        lines.pop()
    else:
        need(len(lines) > 1, "one line without an end")
    return [[field for field in re.split("[ \t]+", line) if field] for line in lines]


def _place(name, position, ref, alt):
    found = re.fullmatch(r"([^:\s]+):([0-9]+)(?:_([^_\s]+)_([^_\s]+))?", name)
    if not found:
        return "1"
    need(found[2] == position and (not found[3] or (found[3], found[4]) == (ref, alt)), "place")
    return found[1]


def hapt(path):
    """HAPT (plain, gzip, or a zip of one), with the legend beside if there is one."""
    data = path.read_bytes()
    data = _one_member(data) if data[:4] == b"PK\3\4" else content(data)
    rows = _text_lines(data)
    need(rows and all(len(row) > 2 and len(row) == len(rows[0]) for row in rows), "columns")
    haplotypes = [row[1] for row in rows]
    need(len(set(haplotypes)) == len(haplotypes), "ids")
    need(all(set(row[2:]) <= {"0", "1"} for row in rows), "values")
    values = [[int(row[j]) for row in rows] for j in range(2, len(rows[0]))]
    found = {"haplotypes": haplotypes, "samples": persons_of(haplotypes), "values": values}
    stem = path.name.split(".")[0]
    legend = next((p for end in ("", ".gz") if (p := path.with_name(f"{stem}.legend{end}")).exists()), None)
    if legend is None:
        return {"sites": [("1", j + 1, ".", ".", ".") for j in range(len(values))], **found}
    header, *lines = _text_lines(content(legend.read_bytes()))
    need([name.lower() for name in header[:4]] == ["id", "position", "a0", "a1"], "header")
    need(len(lines) == len(values) and all(len(line) == len(header) for line in lines), "lines")
    need(all(re.fullmatch("[0-9]+", line[1]) for line in lines), "position")
    sites = [(_place(*line[:4]), int(line[1]), line[0], line[2], line[3]) for line in lines]
    check_order(sites)
    return {"sites": sites, **found}


def _one_member(data):
    members = zip_members(data)
    need(len(members) == 1, "members")
    return next(iter(members.values()))


def zip_members(data):
    """What is in a zip; its CRC-32 are checked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            need(len(set(names)) == len(names) > 0, "names")
            return {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, LookupError) as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        if type(error).__module__ in ("zlib", "struct"):
            raise ValueError(str(error)) from None
        raise


def fasta(path):
    """Names and sequences of an alignment, gaps as "-"."""
    data = content(path.read_bytes())
    need(not any(byte < 32 and byte not in b"\t\n\r" for byte in data), "control characters")
    names, sequences = [], []
    for line in data.split(b"\n"):
        line = line.rstrip(b" \t\r")
        if line.startswith(b">"):
            header = line[1:].decode()
            need(header and not header[0].isspace(), "name")
            names.append(header.split()[0])
            sequences.append("")
        elif line:
            need(names, "text before")
            sequences[-1] += line.decode("ascii").upper().replace(".", "-")
    need(len(names) > 1 or not data.split(b"\n")[-1].strip(), "one sequence without an end")
    need(names and len(set(names)) == len(names), "names")
    need(len(set(map(len, sequences))) == 1 and sequences[0], "lengths")
    seen = set("".join(sequences))
    letters = "ACDEFGHIKLMNPQRSTVWY-" if seen & set("EFILPQ") else "ACGU-" if "U" in seen else "ACGT-"
    need(seen <= set(letters), "letters")
    return {"names": names, "sequences": sequences}


# --------------------------------------------------------------------------------------------------- NumPy archives

NPZ_SITES = {"chrom": "1", "snp_id": ".", "a0": ".", "a1": "."}
NPZ = {"packed", "shape", "hap_id", "sample_id", "phased", "pos", "position_known", "genetic_position_cm", "sha256"}


def _array(data):
    stream = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, TypeError, MemoryError, OverflowError, tokenize.TokenError) as error:
        raise ValueError(str(error)) from None
    need(not stream.read(1), "more bytes")
    return array


def npz(path):
    """A NumPy archive of packed bits."""
    data = path.read_bytes()
    need(data[:2] == b"PK", "zip")
    members = zip_members(data)
    need(all(name.endswith(".npy") for name in members), "names")
    arrays = {name.removesuffix(".npy"): _array(part) for name, part in members.items()}
    for value in arrays.values():
        codes = np.frombuffer(value.tobytes(), value.dtype.byteorder + "u4") if value.dtype.kind == "U" else np.empty(0)
        need(not ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any(), "characters")
    if "sha256" in arrays:
        digest = hashlib.sha256()
        for key in sorted(set(arrays) - {"sha256"}):
            digest.update(f"{key} {arrays[key].dtype.str} {arrays[key].shape}\n".encode())
            digest.update(np.ascontiguousarray(arrays[key]).tobytes())
        need(str(arrays["sha256"]) == digest.hexdigest(), "sha256")
    shape, packed = arrays.get("shape", np.empty(0)), arrays.get("packed", np.empty(0))
    need(shape.shape == (2,) and shape.dtype.kind in "iu" and (shape >= 0).all(), "shape")
    n, num_sites = shape.tolist()
    need(packed.dtype == np.uint8 and packed.shape == (n, -(-num_sites // 8)), "packed")
    bits = np.unpackbits(packed, axis=1)
    need(not bits[:, num_sites:].any(), "bits behind")
    position = arrays.get("pos", np.arange(1, num_sites + 1))
    need(position.shape == (num_sites,) and position.dtype.kind in "iu", "pos")
    columns = []
    for key, default in NPZ_SITES.items():
        column = arrays.get(key, np.array([default] * num_sites, dtype="U1"))
        need(column.shape == (num_sites,) and column.dtype.kind == "U", key)
        columns.append(column.tolist())
    contig, ids, ref, alt = columns
    sites = list(zip(contig, position.tolist(), ids, ref, alt, strict=True))
    check_order(sites)
    cm = arrays.get("genetic_position_cm", np.full(num_sites, np.nan))
    need(cm.shape == (num_sites,) and cm.dtype.kind in "fiu" and not np.isinf(cm).any(), "cM")
    known = arrays.get("position_known", np.array(True))
    need(known.shape == () and known.dtype == bool, "position_known")
    for key in ("hap_id", "sample_id"):
        if key in arrays:
            need(arrays[key].shape == (n,) and arrays[key].dtype.kind == "U", key)
    haplotypes = arrays["hap_id"].tolist() if "hap_id" in arrays else None
    need(haplotypes is None or len(set(haplotypes)) == n, "hap_id")
    if "sample_id" in arrays:
        samples = arrays["sample_id"].tolist()
    else:
        samples = persons_of(haplotypes or [""] * n)
    phased = arrays.get("phased", np.ones(len(set(samples)), bool))
    need(phased.shape == (len(set(samples)),) and phased.dtype == bool, "phased")
    labels = {key.removeprefix("label_"): value for key, value in arrays.items() if key not in NPZ | set(NPZ_SITES)}
    need(len(labels) + len((NPZ | set(NPZ_SITES)) & set(arrays)) == len(arrays), "a label twice")
    need(all(value.shape == (n,) and value.dtype.kind in "biufU" for value in labels.values()), "labels")
    found = {"sites": sites, "samples": samples, "phased": phased.tolist(), "values": bits[:, :num_sites].T.tolist()}
    found["labels"] = {key: value.tolist() for key, value in labels.items()}
    return found if haplotypes is None else {**found, "haplotypes": haplotypes}


# ------------------------------------------------------------------------------------------------------------ .hapz


def _json(path):
    try:
        document = json.loads(path.read_bytes())
    except (OSError, RecursionError) as error:
        raise ValueError(str(error)) from None
    need(isinstance(document, dict), "no object")
    return document


def _decoded(data, size=None):
    """What a chunk of Blosc with its CRC-32C behind holds."""
    need(len(data) > 20 and google_crc32c.value(data[:-4]) == int.from_bytes(data[-4:], "little"), "CRC-32C")
    stated = int.from_bytes(data[4:8], "little")
    need(stated < 1 << 28 and size in (None, stated), "size")
    return bytes(numcodecs.blosc.decompress(data[:-4]))


def _texts(data, shape):
    parts, at = [], 4
    while at < len(data):
        stop = at + 4 + int.from_bytes(data[at : at + 4], "little")
        need(stop <= len(data), "text")
        parts.append(data[at + 4 : stop].decode())
        at = stop
    need(int.from_bytes(data[:4], "little") == len(parts) == math.prod(shape), "texts")
    return np.array(parts, dtype=object).reshape(shape)


def hapz(path):
    """A .hapz store whose genotypes are compressed and in one shard."""
    group = _json(path / "zarr.json")
    attributes = group["attributes"]
    kept = {key: value for key, value in attributes.items() if key != "metadata_sha256"}
    digest = hashlib.sha256(json.dumps({**group, "attributes": kept}, sort_keys=True).encode()).hexdigest()
    need(attributes.get("metadata_sha256") == digest and attributes["hapforge_format"] == 1, "metadata")
    metadata = group["consolidated_metadata"]["metadata"]
    for name, document in metadata.items():
        need(_json(path / name / "zarr.json") == document, name)

    def array(name):
        shape = metadata[name]["shape"]
        if not math.prod(shape):
            return np.empty(shape)
        file = path / name / "c" / "/".join("0" for _ in shape)
        need(file.is_file(), "missing")
        kind = metadata[name]["data_type"]
        data = _decoded(file.read_bytes())
        need(hashlib.sha256(data).hexdigest() == attributes["sha256"][name], "sha256")
        if kind == "string":
            return _texts(data, shape)
        need(len(data) == math.prod(shape) * np.dtype(kind).itemsize, "size")
        return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).reshape(shape)

    n, width = metadata["genotypes"]["shape"]
    num_sites = attributes["num_sites"]
    file = path / "genotypes" / "c" / "0" / "0"
    need(file.is_file(), "missing")
    shard = file.read_bytes()
    sharding = metadata["genotypes"]["codecs"][0]["configuration"]
    high, wide = sharding["chunk_shape"]
    rows, columns = (
        k // c
        for k, c in zip(metadata["genotypes"]["chunk_grid"]["configuration"]["chunk_shape"], (high, wide), strict=True)
    )
    index = shard[-(16 * rows * columns + 4) :]
    need(len(index) == 16 * rows * columns + 4, "index")
    need(google_crc32c.value(index[:-4]) == int.from_bytes(index[-4:], "little"), "index")
    whole = np.zeros((rows * high, columns * wide), np.uint8)
    for k, (at, size) in enumerate(np.frombuffer(index[:-4], "<u8").reshape(-1, 2).tolist()):
        i, j = divmod(k, columns)
        if i * high >= n or j * wide >= width:
            continue
        need(at + size <= len(shard), "place")
        part = np.frombuffer(_decoded(shard[at : at + size], high * wide), np.uint8)
        whole[i * high : (i + 1) * high, j * wide : (j + 1) * wide] = part.reshape(high, wide)
    genotypes = np.ascontiguousarray(whole[:n, :width])
    need(hashlib.sha256(genotypes.tobytes()).hexdigest() == attributes["sha256"]["genotypes"], "sha256")
    bits = np.unpackbits(genotypes, axis=1, bitorder="little")
    need(not bits[:, num_sites:].any(), "bits behind")
    array("variant_allele_count")
    contigs, alleles = array("contig_id").tolist(), array("variant_allele").tolist()
    places = zip(array("variant_contig").tolist(), array("variant_position").tolist(), strict=True)
    ids = array("variant_id").tolist()
    sites = [(contigs[k], p, name, *pair) for (k, p), name, pair in zip(places, ids, alleles, strict=True)]
    names = array("sample_id").tolist()
    return {
        "sites": sites,
        "samples": [names[k] for k in array("haplotype_sample").tolist()],
        "haplotypes": array("haplotype_id").tolist(),
        "phased": array("sample_phased").tolist(),
        "values": bits[:, :num_sites].T.tolist(),
        "labels": {name: array(f"haplotype_label_{k}").tolist() for k, name in enumerate(attributes["labels"])},
    }


# --------------------------------------------------------------------------------------------------------- VCF Zarr


def vcz(path):
    """VCF Zarr as zarr reads it, a zip taken apart before; no chunk may be missing."""
    import zarr

    if path.is_file():
        with tempfile.TemporaryDirectory() as folder:
            for name, data in zip_members(path.read_bytes()).items():
                file = Path(folder, "x", *(part for part in name.split("/") if part not in ("", "..")))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            return vcz(Path(folder, "x"))

    errors = (
        OSError,
        MemoryError,
        RuntimeError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        zarr.errors.BaseZarrError,
    )

    def array(name, optional=False):
        if optional and name not in group:
            return None
        found = group[name]
        need(isinstance(found, zarr.Array) and found.nbytes < 1 << 28, name)
        need(found.nchunks_initialized == found.nchunks, "missing")
        values = found[...]
        need(values.dtype != bool or values.view(np.uint8).max(initial=0) < 2, "booleans")
        return values

    try:
        group = zarr.open_group(path, mode="r", use_consolidated=False)
        genotypes = array("call_genotype")
        phased = array("call_genotype_phased", optional=True)
        contigs, samples = (list(map(str, array(name).tolist())) for name in ("contig_id", "sample_id"))
        numbers, positions, alleles = array("variant_contig"), array("variant_position"), array("variant_allele")
        ids = array("variant_id", optional=True)
        mask = array("variant_id_mask", optional=True)
    except errors as error:
        raise ValueError(str(error)) from None
    num_sites = len(positions)
    need(genotypes.shape == (num_sites, len(samples), 2) and genotypes.dtype.kind == "i", "shape")
    need(phased is None or phased.shape == genotypes.shape[:2], "shape")
    need(((genotypes == 0) | (genotypes == 1)).all() and phased is not None and (phased == 1).all(), "calls")
    need(len(set(samples)) == len(samples) and "" not in samples and len(set(contigs)) == len(contigs), "names")
    need(numbers.shape == (num_sites,) and numbers.min() >= 0 and numbers.max() < len(contigs), "contigs")
    need(alleles.ndim == 2 and len(alleles) == num_sites, "alleles")
    ids = ["."] * num_sites if ids is None else [str(name) or "." for name in ids.tolist()]
    if mask is not None:
        ids = ["." if none else name for none, name in zip(mask.tolist(), ids, strict=True)]
    sites = []
    for j in range(num_sites):
        ref, alt, *more = map(str, alleles[j].tolist())
        need(not any(more), "alleles")
        if (ref, alt) == ("N", "<ALT>"):
            ref = alt = "."
        else:
            need(re.fullmatch(BASES, ref) and re.fullmatch(BASES, alt), "alleles")
        sites.append((contigs[numbers[j]], int(positions[j]), ids[j], ref, alt))
    check_order(sites, 2**31)
    return {
        "sites": sites,
        "samples": [name for name in samples for _ in range(2)],
        "values": genotypes.reshape(num_sites, -1).tolist(),
    }


# --------------------------------------------------------------------------------------------------- tree sequences


def trees(path):
    """A tree sequence: tskit loads its tables, and every sample climbs to the mutation above it."""
    import tskit

    try:
        tables = tskit.load(path).dump_tables()
        tables.sort()
    except (tskit.exceptions.TskitException, tskit.FileFormatError, OSError, EOFError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    nodes = [k for k, node in enumerate(tables.nodes) if node.flags & tskit.NODE_IS_SAMPLE]
    owner = [tables.nodes[k].individual for k in nodes]
    need(nodes and (min(owner) >= 0 or max(owner) < 0), "individuals")
    if min(owner) >= 0:
        nodes = [node for _, node in sorted(zip(owner, nodes, strict=True), key=lambda pair: pair[0])]
        numbers = sorted(set(owner))
        samples = [f"tsk_{numbers.index(k)}" for k in sorted(owner)]
    else:
        samples = [f"sample{i // 2}" for i in range(len(nodes))]
    above = [(tables.mutations.site[k], k) for k in range(len(tables.mutations))]
    sites, values = [], []
    for number, site in enumerate(tables.sites):
        need(site.position == int(site.position), "position")
        parents = {e.child: e.parent for e in tables.edges if e.left <= site.position < e.right}
        children = set(parents.values())
        mine: dict = {}
        for k in [k for of, k in above if of == number]:  # of several at one node the last, which is the youngest
            mine[tables.mutations[k].node] = tables.mutations[k].derived_state
        states = []
        for node in nodes:
            need(node in parents or node in children or node in mine, "isolated")
            while node not in mine and node in parents:
                node = parents[node]
            states.append(mine.get(node, site.ancestral_state))
        every = {site.ancestral_state, *(tables.mutations[k].derived_state for of, k in above if of == number)}
        other = sorted(every - {site.ancestral_state})
        need(len(other) == 1, "alleles")
        pair = [site.ancestral_state, other[0]]
        if every <= {"0", "1"}:
            pair = [".", "."]
        else:
            need(all(re.fullmatch(BASES, allele) for allele in pair), "alleles")
        sites.append(("1", int(site.position) + 1, ".", *pair))
        values.append([int(state != site.ancestral_state) for state in states])
    need(sites, "no site")
    check_order(sites, 2**31)
    return {"sites": sites, "samples": samples, "values": values}


# ------------------------------------------------------------------------------------------------------------- maps


def genetic_map(path):
    """{contig: [(position, cM), ...]} of a map with a heading, or of plink's without; "" for no contig."""
    data = content(path.read_bytes())
    need(data.isascii() and not any(byte < 32 and byte not in b"\t\n\r" for byte in data), "text")
    rows = [line.removesuffix("\r") for line in data.decode().split("\n")]
    need(not any("\r" in line for line in rows), "CR")
    rows = [line.split() for line in (rows[:-1] if not rows[-1] else rows)]
    names = {"pos": 0, "position": 0, "position(bp)": 0, "bp": 0, "cm": 1, "map(cm)": 1, "genetic_map(cm)": 1}
    names |= dict.fromkeys(("chr", "chrom", "#chrom", "chromosome"), 2)
    need(rows and rows[0] and data.endswith(b"\n"), "empty or cut")
    columns = {}
    for k, word in enumerate(rows[0]):
        if word.lower() in names:
            columns.setdefault(names[word.lower()], k)
    if 0 in columns and 1 in columns:
        first = 1
    else:
        need(len(rows[0]) == 4 and rows[0][3].isdigit() and not columns, "layout")
        columns, first = {0: 3, 1: 2, 2: 0}, 0
    points: dict = {}
    last = None
    for row in rows[first:]:
        need(len(row) == len(rows[0]), "columns")
        contig = row[columns[2]].removeprefix("chr") if 2 in columns else ""
        need(re.fullmatch("[0-9]+", row[columns[0]]), "position")
        need(re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", row[columns[1]]), "cM")
        point = int(row[columns[0]]), float(row[columns[1]])
        need(0 < point[0] < POSITION_LIMIT and math.isfinite(point[1]), "range")
        need(contig == last or contig not in points, "blocks")
        mine = points.setdefault(contig, [])
        need(not mine or (mine[-1][0] < point[0] and mine[-1][1] <= point[1]), "order")
        mine.append(point)
        last = contig
    need(points, "no point")
    return points


def labels(path, haplotypes, samples):
    """{name: value of each haplotype} of a table whose first column is haplotype or sample ids."""
    data = content(path.read_bytes()).removeprefix(b"\xef\xbb\xbf")
    need(data.endswith(b"\n") and not any(byte < 32 and byte not in b"\t\n\r" for byte in data), "text")
    lines = [line.removesuffix("\r") for line in data.decode().split("\n")]
    rows = [line.split("\t") for line in (lines[:-1] if not lines[-1] else lines)]
    need(not any("\r" in line for line in lines) and all(map(any, rows)), "lines")
    header, *rows = rows
    need(len(header) > 1 and len(set(header)) == len(header), "header")
    need(all(len(row) == len(header) for row in rows), "columns")
    table = {row[0]: row[1:] for row in rows}
    need(len(table) == len(rows), "an id twice")
    found = [table.get(name, table.get(person)) for name, person in zip(haplotypes, samples, strict=True)]
    need(None not in found, "nobody missing")
    return {name: list(column) for name, column in zip(header[1:], zip(*found, strict=True), strict=True)}
