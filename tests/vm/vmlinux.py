"""Takes the ELF kernel out of a bzImage: `python3 vmlinux.py BZIMAGE VMLINUX`.

QEMU starts an ELF kernel with a PVH note at once; a bzImage would unpack itself under emulation, which takes 10 s.
Layout of a bzImage: Documentation/arch/x86/boot.rst (setup_sects 0x1f1, payload_offset 0x248, payload_length 0x24c).
"""

import lzma
import struct
import subprocess
import sys
import zlib
from pathlib import Path

SECTOR = 512


def payload(image: bytes) -> bytes:
    """The packed kernel."""
    sectors = image[0x1F1] or 4  # 0 means 4, for history's sake
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * SECTOR + offset
    return image[start : start + length]


def unpacked(packed: bytes) -> bytes:
    """By its magic: Debian packs with xz."""
    if packed.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(packed)
    if packed.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(31).decompress(packed)
    if packed.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dcq"], input=packed[:-4], stdout=subprocess.PIPE, check=True).stdout
    raise SystemExit(f"vmlinux: a packing that nobody knows: {packed[:8]!r}")


def main() -> None:
    kernel = unpacked(payload(Path(sys.argv[1]).read_bytes()))
    if not kernel.startswith(b"\x7fELF"):
        raise SystemExit("vmlinux: what was packed is no ELF file")
    Path(sys.argv[2]).write_bytes(kernel)


if __name__ == "__main__":
    main()
