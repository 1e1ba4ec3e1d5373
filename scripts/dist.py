"""What `make dist` does with built programs: which C library they need, zips and archives that are the
same for the same content, and checksums. Python's standard library alone."""

import argparse
import gzip
import hashlib
import io
import pathlib
import struct
import sys
import tarfile
import zipfile

# The earliest time that a zip can name, and the same for archives.
EPOCH = (1980, 1, 1, 0, 0, 0)
EPOCH_SECONDS = 315532800

SHT_GNU_VERNEED = 0x6FFFFFFE


def glibc_needed(program):
    """The newest version of glibc that a 64-bit ELF program names, as numbers; none without glibc."""
    data = program.read_bytes()
    if data[:4] != b"\x7fELF" or data[4] != 2 or data[5] != 1:
        sys.exit(f"{program} is no 64-bit Linux program")
    offset, = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    # Type, link, offset and size of each section. Source: System V ABI, "Sections".
    sections = []
    for at in range(offset, offset + size * count, size):
        kind, = struct.unpack_from("<I", data, at + 4)
        start, length, link, entries = struct.unpack_from("<QQII", data, at + 0x18)
        sections.append((kind, link, start, length, entries))
    newest = None
    for kind, link, start, _, entries in sections:
        if kind != SHT_GNU_VERNEED:
            continue
        strings = sections[link][2]

        def text(index):
            end = data.index(b"\0", strings + index)
            return data[strings + index : end].decode()

        # A list of libraries, each with a list of versions. Source: Linux Standard Base, "Symbol Versioning".
        at = start
        for _ in range(entries):
            _, versions, _, aux, following = struct.unpack_from("<HHIII", data, at)
            entry = at + aux
            for _ in range(versions):
                _, _, _, name, next_entry = struct.unpack_from("<IHHII", data, entry)
                version = text(name)
                if version.startswith("GLIBC_2."):
                    numbers = tuple(int(part) for part in version[len("GLIBC_") :].split("."))
                    newest = max(newest or numbers, numbers)
                entry += next_entry
            at += following
    return newest


def check_glibc(arguments):
    """Whether every program starts where there is this version of glibc."""
    allowed = tuple(int(part) for part in arguments.newest.split("."))
    for program in arguments.programs:
        needed = glibc_needed(program)
        if needed and needed > allowed:
            sys.exit(
                f"{program} needs glibc {'.'.join(map(str, needed))}, and would not start where there is "
                f"{arguments.newest}"
            )


def write_zip(arguments):
    """A zip of NAME=FILE, in this order, executable, without dates."""
    with zipfile.ZipFile(arguments.zip, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        out.comment = arguments.comment.encode()
        for entry in arguments.entries:
            name, _, path = entry.partition("=")
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = (0o100755) << 16
            out.writestr(info, pathlib.Path(path).read_bytes())


def write_tar(arguments):
    """A .tar.gz of NAME=FILE below a folder, without dates and owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as out:
        for entry in arguments.entries:
            name, _, path = entry.partition("=")
            content = pathlib.Path(path).read_bytes()
            info = tarfile.TarInfo(f"{arguments.folder}/{name}")
            info.size = len(content)
            info.mtime = EPOCH_SECONDS
            info.mode = 0o755 if pathlib.Path(path).stat().st_mode & 0o100 else 0o644
            out.addfile(info, io.BytesIO(content))
    with open(arguments.archive, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as out:
        out.write(plain.getvalue())


def write_sums(arguments):
    """Checksums as sha256sum writes and checks them."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(arguments.files, key=lambda path: path.name)
    ]
    arguments.sums.write_text("".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    glibc = commands.add_parser("glibc")
    glibc.add_argument("newest")
    glibc.add_argument("programs", nargs="+", type=pathlib.Path)
    glibc.set_defaults(run=check_glibc)
    zipped = commands.add_parser("zip")
    zipped.add_argument("zip", type=pathlib.Path)
    zipped.add_argument("comment")
    zipped.add_argument("entries", nargs="+")
    zipped.set_defaults(run=write_zip)
    tar = commands.add_parser("tar")
    tar.add_argument("archive", type=pathlib.Path)
    tar.add_argument("folder")
    tar.add_argument("entries", nargs="+")
    tar.set_defaults(run=write_tar)
    sums = commands.add_parser("sums")
    sums.add_argument("sums", type=pathlib.Path)
    sums.add_argument("files", nargs="+", type=pathlib.Path)
    sums.set_defaults(run=write_sums)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
