"""Genes of GFF3, GTF and BED files, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from hapforge.errors import FormatError
from hapforge.io import read_genes

GFF3 = """##gff-version 3
##sequence-region 1 1 1000
1\tensembl\tchromosome\t1\t1000\t.\t.\t.\tID=chromosome:1
1\tensembl\tgene\t101\t200\t.\t+\t.\tID=gene:E1;Name=ABC%2C1;biotype=protein_coding
1\tensembl\tmRNA\t101\t200\t.\t+\t.\tID=transcript:T1;Parent=gene:E1

chr1\tensembl\tncRNA_gene\t150\t400\t.\t-\t.\tID=gene:E2
2\tensembl\tpseudogene\t7\t7\t.\t?\t.\tbiotype=x
###
##FASTA
>1
ACGT
"""
GTF = """#!genome-build GRCh38
chr1\tHAVANA\tgene\t101\t200\t.\t+\t.\tgene_id "E1"; gene_name "ABC,1"; level 2;
chr1\tHAVANA\texon\t101\t120\t.\t+\t.\tgene_id "E1"; exon_number 1;
chr1\tHAVANA\tgene\t150\t400\t.\t-\t.\tgene_id "gene:E2";
2\tHAVANA\tgene\t7\t7\t.\t.\t.\tgene_id "2:7-7";
"""
EXONS = """chr1\trefGene\texon\t181\t200\t.\t+\t.\tgene_id "ABC,1"; transcript_id "T1";
chr1\trefGene\texon\t101\t120\t.\t+\t.\tgene_id "ABC,1"; transcript_id "T1";
chr1\trefGene\ttranscript\t150\t400\t.\t-\t.\tgene_id "gene:E2"; transcript_id "T2";
2\trefGene\ttranscript\t7\t7\t.\t-\t.\tgene_id "2:7-7"; transcript_id "T3";
"""
BED = """track name=genes
browser position chr1:1-1000
# a comment
chr1\t100\t200\tABC,1\t0\t+
chr1\t149\t400\tgene:E2\t0\t-
chr2\t6\t7
"""


@pytest.mark.parametrize("content", [GFF3, GTF, EXONS, BED, BED.replace("\t", " "), GFF3.replace("\n", "\r\n")])
@pytest.mark.parametrize("packed", [False, True])
def test_genes(content: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "genes"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    genes = read_genes(path)
    assert len(genes) == 3
    assert genes.path == str(path)
    assert genes.contig.tolist() == ["1", "1", "2"]
    np.testing.assert_array_equal(genes.start, [101, 150, 7])
    np.testing.assert_array_equal(genes.end, [200, 400, 7])
    assert genes.name.tolist() == ["ABC,1", "gene:E2", "2:7-7"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected genes in GFF3, GTF .* or BED .*, found no gene"),
        ("#only\n", "found no gene"),
        ("1\t.\texon\t5\t9\t.\t+\t.\tID=x\n", "found no gene"),
        ("chr1 gene\n", "line 1: expected genes in GFF3, GTF .*, found 'chr1 gene'"),
        (
            GFF3.replace("101\t200\t.\t+\t.\tID=g", "0\t200\t.\t+\t.\tID=g"),
            "line 4: expected a start of 1 or more, found 0",
        ),
        (GFF3.replace("150\t400", "150\t149"), "line 7: expected an end at or behind the start, 150, found 149"),
        (GTF.replace("150\t400", "150\tx"), "line 4: expected a position in base pairs, found 'x'"),
        (GTF.replace('gene_id "2:7-7"', "gene_id x"), 'line 5: expected an attribute gene_id "...", found'),
        (GTF.replace('\tgene_id "2', ' gene_id "2'), "line 5: expected 9 columns, found 8"),
        (BED.replace("149\t400", "149\t149"), "line 5: expected an end behind the start, 149, found 149"),
        (BED.replace("6\t7", "6"), "line 6: expected 3 columns or more, found 2"),
        (BED.replace("6\t7", "-6\t7"), "line 6: expected a position in base pairs, found '-6'"),
        (BED[:-1], "line 6: expected a last line that ends in a line feed"),
        (BED.replace("ABC", "\x01"), "line 4: expected text, found the control character"),
        (BED.replace("ABC", "\udcff"), "line 4: expected UTF-8 text, found other bytes"),
    ],
)
def test_what_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "genes"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(FormatError, match=message):
        read_genes(path)


def test_a_cut_archive(tmp_path: Path) -> None:
    path = tmp_path / "genes.gz"
    path.write_bytes(gzip.compress(BED.encode())[:-9])
    with pytest.raises(FormatError, match="gzip"):
        read_genes(path)
    with pytest.raises(FileNotFoundError):
        read_genes(tmp_path / "none")
