"""The command table: every ESC/POS command the box knows, how long it is and what it does to the printer.

Owns: `Effect`, `Spec`, the length rules and `TABLE`. Never: reads a stream (parser.py does) or keeps printer modes
(state.py does). It is one table so that a new printer dialect is a row and not a branch.

Sources: Epson "ESC/POS Command Reference" (names as printed there), Star "Line Mode" and "ESC/POS Mode" manuals,
Citizen CBM1000, Bematech MP-4200 TH, Daruma DR800, and real streams. Where two makers give one opcode two lengths,
Epson's holds: ESC v n (Bematech's drawer), ESC d n (Star's cut), ESC K (Bematech's picture), ESC E without n (Star).
A row's `length` says how the end is known:

    fixed(n)        n bytes in all, prefix included
    until_nul(n)    ends with 00, at most n bytes in all (else it is not that command)
    counted(...)    a count inside the header
    staged(...)     several counted blocks, each with its own small header
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

PICTURE_MAX = 16 << 20  # bytes: 576 dots and 230,000 rows; a longer one is noise, and would blind the line for hours
NUL_MAX = 256  # longest NUL-terminated argument we wait for, NUL included; Epson's longest is GS k (255 characters)
WINDOW = 3 + NUL_MAX  # bytes from an introducer on that a length rule may have to see
# Acts on reception, also inside a picture: a kick or a status that nobody asked for [Epson, DLE EOT, DLE ENQ, DLE DC4]
REAL_TIME = re.compile(
    rb"\x10(?:\x04[\x01-\x04\x07\x08\x12]|\x05[\x00-\x03]|\x14[\x01-\x03\x07\x08])"
)


class Effect(IntEnum):
    """What a command does, as far as paper and wire care."""

    MODE = 1  # sets how later data prints; nothing printed, nothing moved
    POSITION = 2  # moves within the line (HT, ESC $, ESC \)
    FEED = 3  # prints the buffer if there is something in it, and moves the paper
    INK = 4  # prints at once (raster, bar code, symbol)
    BUFFER = 5  # puts dots into the print buffer (ESC *); printed by the next feed
    CUT = 6
    DRAWER = 7  # ESC p: drawer kick, in order
    REALTIME = 8  # DLE ...: acts on reception, even when the printer is offline
    CLEAR = 9  # clears the printer's buffers
    QUERY = 10  # answered in order, after what stands before it
    SELECT = 11  # ESC =: which device the following bytes are for
    INIT = 12  # ESC @
    PAGE_ON = 13
    PAGE_OFF = 14
    PAGE_PRINT = 15  # FF: prints the page and leaves page mode; in standard mode a form feed
    DEFINE = 16  # stores data in the printer (images, characters, symbols)
    MACRO = 17  # GS :  start or end of a macro's definition
    SOUND = 18  # buzzer
    SERVICE = 19  # memory switches, firmware, power: known only so that we can refuse to print them ourselves
    UNKNOWN = 20


# A length rule looks at the bytes from the prefix on and returns the command's whole length in bytes, 0 if it needs
# to see more, or -1 if these bytes can't be this command.
LengthRule = Callable[[bytes], int]
EffectRule = Callable[[bytes], Effect]


class Stage(NamedTuple):
    """A command whose data comes in blocks, each with a header of its own (FS q, ESC &, GS D)."""

    head: int  # bytes of the command before the first block
    count: Callable[[bytes], int]  # number of blocks, from the head
    block_head: int  # bytes of each block's header
    block_data: Callable[[bytes, bytes], int]  # (command's head, block's header) -> bytes of data that follow


class Spec(NamedTuple):
    """One row of the table."""

    prefix: bytes
    name: str  # the manual's name, e.g. "GS V"
    title: str
    length: int | LengthRule | Stage  # int: fixed length, prefix included
    effect: Effect | EffectRule


def until_nul(first: int, longest: int = NUL_MAX) -> LengthRule:
    """Ends with the first 00 at or after offset `first`; at most `longest` bytes in all."""

    def rule(raw: bytes) -> int:
        end = raw.find(0, first, longest)
        if end >= 0:
            return end + 1
        return 0 if len(raw) < longest else -1

    return rule


def counted16(at: int) -> LengthRule:
    """Two bytes (low, high) at offset `at` count what follows them."""

    def rule(raw: bytes) -> int:
        return at + 2 + raw[at] + (raw[at + 1] << 8) if len(raw) >= at + 2 else 0

    return rule


def _gs_8_l(raw: bytes) -> int:
    return 7 + int.from_bytes(raw[3:7], "little") if len(raw) >= 7 else 0


def _bit_image(raw: bytes) -> int:  # ESC * m nL nH: 8-dot modes one byte a column, 24-dot three, 48-dot six
    if len(raw) < 5:
        return 0
    per_column = 6 if raw[2] in (71, 72, 73) else 3 if raw[2] in (32, 33, 38, 39, 40) else 1
    return 5 + per_column * (raw[3] + (raw[4] << 8))


def _raster(raw: bytes) -> int:  # GS v 0 m xL xH yL yH
    if len(raw) < 3:
        return 0
    if raw[2] not in b"0\x00":
        return -1
    if len(raw) < 8:
        return 0
    size = (raw[4] + (raw[5] << 8)) * (raw[6] + (raw[7] << 8))
    return 8 + size if size <= PICTURE_MAX else -1


def _variable_bit_image(raw: bytes) -> int:  # GS Q 0 m xL xH yL yH
    if len(raw) < 3:
        return 0
    if raw[2] != 0x30:
        return -1
    return 8 + (raw[4] + (raw[5] << 8)) * (raw[6] + (raw[7] << 8)) if len(raw) >= 8 else 0


def _downloaded_image(raw: bytes) -> int:  # GS * x y
    return 4 + raw[2] * raw[3] * 8 if len(raw) >= 4 else 0


def _bar_code(raw: bytes) -> int:  # GS k m: form A ends with NUL, form B is counted
    if len(raw) < 3:
        return 0
    m = raw[2]
    if m <= 8 or 0x15 <= m <= 0x17:  # 15-17: ISBN, MSI and Plessey of Bematech
        return _bar_code_nul(raw)
    if 65 <= m <= 79 or m in (0x82, 0x83):  # 82, 83: MSI and Plessey of Bematech
        return 4 + raw[3] if len(raw) >= 4 else 0
    if m in (0x51, 0x80):  # Bematech's QR and PDF417: four parameters, then a count
        return 9 + raw[7] + (raw[8] << 8) if len(raw) >= 9 else 0
    return 5 if m == 0x84 else -1  # Bematech's left margin of bar codes


_bar_code_nul = until_nul(3, 3 + NUL_MAX)


def _bar_code_effect(raw: bytes) -> Effect:
    return Effect.MODE if raw[2] == 0x84 else Effect.INK


def _cut(raw: bytes) -> int:  # GS V m [n]
    if len(raw) < 3:
        return 0
    return 4 if raw[2] in (65, 66, 97, 98, 103, 104) else 3


def _dle_eot(raw: bytes) -> int:  # n = 7, 8, 18 have a second parameter
    if len(raw) < 3:
        return 0
    return 4 if raw[2] in (7, 8, 18) else 3


_DLE_DC4 = {1: 5, 2: 5, 3: 8, 7: 4, 8: 10}


def _dle_dc4(raw: bytes) -> int:
    return _DLE_DC4.get(raw[2], 3) if len(raw) >= 3 else 0


def _fs_g(raw: bytes) -> int:  # FS g 1/2 m a1..a4 nL nH [data]
    if len(raw) < 3:
        return 0
    if raw[2] == 0x32:
        return 10
    if raw[2] != 0x31:
        return -1
    return 10 + raw[8] + (raw[9] << 8) if len(raw) >= 10 else 0


def _gs_c(raw: bytes) -> int:  # GS C 0 n m | GS C 1 .. (6 args) | GS C 2 nL nH | GS C ; text ;
    if len(raw) < 3:
        return 0
    fixed = {0x30: 5, 0x31: 9, 0x32: 5}.get(raw[2])
    if fixed:
        return fixed
    if raw[2] != 0x3B:
        return -1
    end, found = 3, 0
    while found < 5:  # GS C ; sa ; sb ; sn ; sr ; sc ;
        end = raw.find(b";", end, 64) + 1
        if not end:
            return 0 if len(raw) < 64 else -1
        found += 1
    return end


def _gs_g(raw: bytes) -> int:  # GS g 0/2 m nL nH
    if len(raw) < 3:
        return 0
    return 6 if raw[2] in b"02" else -1


def _gs_z(raw: bytes) -> int:
    if len(raw) < 3:
        return 0
    return 5 if raw[2] == 0x30 else -1


def _esc_c(raw: bytes) -> int:  # ESC c 0/1/3/4/5/6 n
    if len(raw) < 3:
        return 0
    return 4 if raw[2] in b"013456" else -1


def _fs_a(raw: bytes) -> int:  # FS a 0 n | FS a 1 | FS a 2: check paper
    if len(raw) < 3:
        return 0
    return {0x30: 4, 0x31: 3, 0x32: 3}.get(raw[2], -1)


def _sii_dc2(raw: bytes) -> int:  # SII "12 71 00"; DC2 alone is a one-byte mode of other makers
    if len(raw) < 2:
        return 0
    return 3 if raw[1] == 0x71 else 1


def _bematech(raw: bytes) -> int:
    """GS F9 fn: settings of Bematech (MP-4200 TH programmer's manual); one parameter, or two after 'D'."""
    if len(raw) < 3:
        return 0
    return {0x44: 5}.get(raw[2], 4 if raw[2] in b" !'()+,-578CE\x1f" else -1)


def _bematech_effect(raw: bytes) -> Effect:
    if raw[2] in b"'C":
        return Effect.QUERY
    return Effect.INK if raw[2] in b")" else Effect.SERVICE  # the command set may be another one from here on


def _star_qr(raw: bytes) -> int:
    """ESC GS y, Star's QR code: S 0-2 n sets it up, D 1/2 m nL nH d… hold the data, P prints, I asks."""
    if len(raw) < 4:
        return 0
    if raw[3] in b"PI":
        return 4
    if raw[3] == 0x53:
        return 6
    if raw[3] != 0x44:
        return -1
    return 8 + raw[6] + (raw[7] << 8) if len(raw) >= 8 else 0


def _star_qr_effect(raw: bytes) -> Effect:
    return Effect.INK if raw[3] == 0x50 else Effect.UNKNOWN


def _windows_bmp(raw: bytes) -> int:
    """GS D m fn a kc1 kc2 b c and a BMP file, whose own header (offset 2) holds its size."""
    if len(raw) < 4:
        return 0
    if raw[2] != 0x30 or raw[3] not in (67, 83):
        return -1
    if len(raw) < 15:
        return 0
    return 9 + int.from_bytes(raw[11:15], "little") if raw[9:11] == b"BM" else -1


_DEFINE_CHARACTERS = Stage(  # ESC & y c1 c2 [x d(y*x)]...
    head=5,
    count=lambda raw: max(raw[4] - raw[3] + 1, 0),
    block_head=1,
    block_data=lambda raw, head: raw[2] * head[0],
)
_DEFINE_NV_IMAGES = Stage(  # FS q n [xL xH yL yH d(x*y*8)]...
    head=3,
    count=lambda raw: raw[2],
    block_head=4,
    block_data=lambda raw, head: (head[0] + (head[1] << 8)) * (head[2] + (head[3] << 8)) * 8,
)


def _symbol(raw: bytes) -> Effect:
    """GS ( k pL pH cn fn: 81 prints, 82 asks the size, 80 stores data, the others set parameters."""
    fn = raw[6] if len(raw) > 6 else 0
    if fn == 81:
        return Effect.INK
    if fn == 82:
        return Effect.QUERY
    return Effect.DEFINE if fn == 80 else Effect.MODE


def _graphics(raw: bytes) -> Effect:
    """GS ( L / GS 8 L ... m fn: queries, definitions, and (whatever is not sure) ink.

    Functions 112 and 113 only fill the buffer that function 50 prints, but nothing of ours may come between them.
    """
    at = 6 if raw[1] == 0x28 else 8
    fn = raw[at] if len(raw) > at else -1
    if fn in (0, 48, 3, 4, 51, 52, 64, 80):  # capacities, key code lists
        return Effect.QUERY
    if fn in (65, 66, 67, 68, 81, 82, 83, 84):  # delete, define (69 and 85 print what is defined)
        return Effect.DEFINE
    return Effect.MODE if fn in (1, 49) else Effect.INK


def _user_memory(raw: bytes) -> Effect:  # FS g 1 writes, FS g 2 reads
    return Effect.QUERY if raw[2:3] == b"2" else Effect.DEFINE


def _maintenance(raw: bytes) -> Effect:  # GS g 0 sets a counter to zero, GS g 2 sends it
    return Effect.QUERY if raw[2:3] == b"2" else Effect.SERVICE


def _logo(raw: bytes) -> Effect:
    """FS ( E pL pH fn: logos that the printer itself puts at the top and bottom of a receipt; fn 61 sends settings."""
    return Effect.QUERY if raw[5:6] == b"=" else Effect.DEFINE


def _label(raw: bytes) -> Effect:
    """FS ( L pL pH fn: 34 and 48 answer, 33 and 80 set up, 65-67 feed to the next label."""
    fn = raw[5] if len(raw) > 5 else 0
    if fn in (34, 48):
        return Effect.QUERY
    return Effect.MODE if fn in (33, 80) else Effect.FEED


def _parametric_gs(raw: bytes) -> Effect:
    return _GS_PAREN.get(raw[2:3], Effect.INK) if len(raw) > 2 else Effect.INK


_GS_PAREN = {
    b"A": Effect.INK,  # execute test print
    b"B": Effect.MODE,
    b"C": Effect.QUERY,  # edit NV user memory: some functions answer
    b"D": Effect.MODE,  # enable/disable real-time commands
    b"E": Effect.SERVICE,  # user set-up
    b"F": Effect.MODE,
    b"G": Effect.MODE,
    b"H": Effect.QUERY,  # request a response
    b"J": Effect.MODE,
    b"K": Effect.MODE,  # print control
    b"M": Effect.SERVICE,  # customise the printer
    b"N": Effect.MODE,
    b"P": Effect.MODE,
    b"Q": Effect.INK,  # draw line or rectangle
    b"V": Effect.MODE,
    b"z": Effect.QUERY,
}


def _real_time(raw: bytes) -> Effect:
    if raw[:2] == b"\x10\x05":
        return Effect.CLEAR if raw[2:3] == b"\x02" else Effect.REALTIME
    if raw[:2] == b"\x10\x14":
        return Effect.CLEAR if raw[2:3] == b"\x08" else Effect.REALTIME
    return Effect.REALTIME


_M, _P, _F, _I = Effect.MODE, Effect.POSITION, Effect.FEED, Effect.INK
_Q, _D, _S = Effect.QUERY, Effect.DEFINE, Effect.SERVICE
# Other makers' opcodes: their length is known, so that text stays whole; that such a printer takes Epson's is not.
_O = Effect.UNKNOWN

TABLE: tuple[Spec, ...] = (
    # one byte; LF, CR, HT and NUL belong to text runs and never come here
    Spec(b"\x0c", "FF", "Print and return to standard mode / form feed", 1, Effect.PAGE_PRINT),
    Spec(b"\x0b", "VT", "Vertical tab (dialects)", 1, _F),
    Spec(b"\x18", "CAN", "Cancel print data in page mode", 1, Effect.CLEAR),
    Spec(b"\x07", "BEL", "Buzzer or drawer 1 (dialects)", 1, Effect.SOUND),
    Spec(b"\x0e", "SO", "Double width on (dialects)", 1, _M),
    Spec(b"\x0f", "SI", "Condensed on (dialects)", 1, _M),
    Spec(b"\x11", "DC1", "Select printer (dialects)", 1, _M),
    Spec(b"\x12", "DC2", "Condensed off (dialects) / SII DC2 q n", _sii_dc2, _M),
    Spec(b"\x13", "DC3", "Deselect printer (dialects)", 1, _M),
    Spec(b"\x14", "DC4", "Double width off (dialects)", 1, _M),
    # DLE: real-time commands
    Spec(b"\x10\x04", "DLE EOT", "Transmit real-time status", _dle_eot, _real_time),
    Spec(b"\x10\x05", "DLE ENQ", "Send real-time request to printer", 3, _real_time),
    Spec(b"\x10\x14", "DLE DC4", "Real-time pulse, power-off, buzzer, buffer clear", _dle_dc4, _real_time),
    # ESC
    Spec(b"\x1b\x06\x01", "ESC ACK SOH", "Transmit real-time status (Star)", 3, Effect.REALTIME),
    Spec(b"\x1b\x0c", "ESC FF", "Print data in page mode", 2, _I),
    Spec(b"\x1b\x0e", "ESC SO", "Double width on (dialects)", 2, _O),
    Spec(b"\x1b\x0f", "ESC SI", "Condensed on (dialects)", 2, _O),
    Spec(b"\x1b\x1dA", "ESC GS A", "Set absolute position (Star)", 5, _O),
    Spec(b"\x1b\x1dR", "ESC GS R", "Set relative position (Star)", 5, _O),
    Spec(b"\x1b\x1da", "ESC GS a", "Select alignment (Star)", 4, _O),
    Spec(b"\x1b\x1dt", "ESC GS t", "Select code page (Star)", 4, _O),
    Spec(b"\x1b\x1dy", "ESC GS y", "QR code (Star)", _star_qr, _star_qr_effect),
    Spec(b"\x1b\x1eA", "ESC RS A", "Set status transmission (Star)", 4, _O),
    Spec(b"\x1b\x1eF", "ESC RS F", "Select font (Star)", 4, _O),
    Spec(b"\x1b\x1ea", "ESC RS a", "Set automatic status (Star)", 4, _O),
    Spec(b"\x1b\x20", "ESC SP", "Set right-side character spacing", 3, _M),
    Spec(b"\x1b!", "ESC !", "Select print mode(s)", 3, _M),
    Spec(b"\x1b$", "ESC $", "Set absolute print position", 4, _P),
    Spec(b"\x1b%", "ESC %", "Select/cancel user-defined character set", 3, _M),
    Spec(b"\x1b&", "ESC &", "Define user-defined characters", _DEFINE_CHARACTERS, _D),
    Spec(b"\x1b(A", "ESC ( A", "Beeper", counted16(3), Effect.SOUND),
    Spec(b"\x1b(Y", "ESC ( Y", "Specify batch print", counted16(3), _M),
    Spec(b"\x1b(", "ESC (", "Parametric command", counted16(3), Effect.UNKNOWN),
    Spec(b"\x1b*", "ESC *", "Select bit-image mode", _bit_image, Effect.BUFFER),
    Spec(b"\x1b-", "ESC -", "Turn underline mode on/off", 3, _M),
    Spec(b"\x1b2", "ESC 2", "Select default line spacing", 2, _M),
    Spec(b"\x1b3", "ESC 3", "Set line spacing", 3, _M),
    Spec(b"\x1b4", "ESC 4", "Italic on (dialects)", 2, _M),
    Spec(b"\x1b5", "ESC 5", "Italic off (dialects)", 2, _M),
    Spec(b"\x1b7", "ESC 7", "Set heating dots, time and interval (kiosk printers)", 5, _M),
    Spec(b"\x1b<", "ESC <", "Return home", 2, _M),
    Spec(b"\x1b=", "ESC =", "Select peripheral device", 3, Effect.SELECT),
    Spec(b"\x1b?", "ESC ?", "Cancel user-defined characters", 3, _M),
    Spec(b"\x1b@", "ESC @", "Initialize printer", 2, Effect.INIT),
    Spec(b"\x1bA", "ESC A", "Set line spacing in 1/60 inch (dialects)", 3, _M),
    Spec(b"\x1bB", "ESC B", "Buzzer n times (dialects)", 4, Effect.SOUND),
    Spec(b"\x1bC", "ESC C", "Set page length (dialects)", 3, _M),
    Spec(b"\x1bD", "ESC D", "Set horizontal tab positions", until_nul(2, 36), _M),
    Spec(b"\x1bE", "ESC E", "Turn emphasized mode on/off", 3, _M),
    Spec(b"\x1bF", "ESC F", "Emphasized off (dialects)", 2, _O),
    Spec(b"\x1bG", "ESC G", "Turn double-strike mode on/off", 3, _M),
    Spec(b"\x1bH", "ESC H", "Condensed or double-strike off (dialects)", 2, _O),
    Spec(b"\x1bJ", "ESC J", "Print and feed paper", 3, _F),
    Spec(b"\x1bK", "ESC K", "Print and reverse feed", 3, _F),
    Spec(b"\x1bL", "ESC L", "Select page mode", 2, Effect.PAGE_ON),
    Spec(b"\x1bM", "ESC M", "Select character font", 3, _M),
    Spec(b"\x1bP", "ESC P", "Condensed off (dialects)", 2, _O),
    Spec(b"\x1bQ", "ESC Q", "Set right margin (dialects)", 3, _O),
    Spec(b"\x1bR", "ESC R", "Select an international character set", 3, _M),
    Spec(b"\x1bS", "ESC S", "Select standard mode", 2, Effect.PAGE_OFF),
    Spec(b"\x1bT", "ESC T", "Select print direction in page mode", 3, _M),
    Spec(b"\x1bU", "ESC U", "Turn unidirectional print mode on/off", 3, _M),
    Spec(b"\x1bV", "ESC V", "Turn 90 degrees clockwise rotation mode on/off", 3, _M),
    Spec(b"\x1bW", "ESC W", "Set print area in page mode", 10, _M),
    Spec(b"\x1b\\", "ESC \\", "Set relative print position", 4, _P),
    Spec(b"\x1ba", "ESC a", "Select justification", 3, _M),
    Spec(b"\x1bb", "ESC b", "Horizontal enlargement (dialects)", 3, _M),
    Spec(b"\x1bc", "ESC c", "Paper sensors and panel buttons", _esc_c, _M),
    Spec(b"\x1bd", "ESC d", "Print and feed n lines", 3, _F),
    Spec(b"\x1be", "ESC e", "Print and reverse feed n lines", 3, _F),
    Spec(b"\x1bf", "ESC f", "Set cut sheet wait time", 4, _M),
    Spec(b"\x1bg", "ESC g", "Font (dialects)", 3, _M),
    Spec(b"\x1bi", "ESC i", "Partial cut (one point left uncut)", 2, Effect.CUT),
    Spec(b"\x1bj", "ESC j", "Reverse feed (dialects)", 3, _F),
    Spec(b"\x1bl", "ESC l", "Set left margin (dialects)", 3, _O),
    Spec(b"\x1bm", "ESC m", "Partial cut (three points left uncut)", 2, Effect.CUT),
    Spec(b"\x1bo", "ESC o", "Stamp", 2, _I),
    Spec(b"\x1bp", "ESC p", "Generate pulse", 5, Effect.DRAWER),
    Spec(b"\x1bq", "ESC q", "Release paper", 2, _F),
    Spec(b"\x1br", "ESC r", "Select print color", 3, _M),
    Spec(b"\x1bt", "ESC t", "Select character code table", 3, _M),
    Spec(b"\x1bu", "ESC u", "Transmit peripheral device status", 3, _Q),
    Spec(b"\x1bv", "ESC v", "Transmit paper sensor status", 2, _Q),
    Spec(b"\x1bw", "ESC w", "Full cut (Star, Bematech)", 2, Effect.CUT),
    Spec(b"\x1bz", "ESC z", "Automatic line feed on/off (dialects)", 3, _O),
    Spec(b"\x1b{", "ESC {", "Turn upside-down print mode on/off", 3, _M),
    Spec(b"\x1b}", "ESC }", "Turn upside-down print mode on/off (Bematech)", 3, _O),
    Spec(b"\x1b\x80", "ESC 80h", "Drawer 2 (Bematech)", 3, Effect.DRAWER),
    Spec(b"\x1b\x81", "ESC 81h", "QR code (Daruma)", counted16(2), _I),
    # FS
    Spec(b"\x1c!", "FS !", "Select print mode(s) for Kanji characters", 3, _M),
    Spec(b"\x1c&", "FS &", "Select Kanji character mode", 2, _M),
    Spec(b"\x1c(A", "FS ( A", "Select Kanji character style", counted16(3), _M),
    Spec(b"\x1c(C", "FS ( C", "Select character encode system", counted16(3), _M),
    Spec(b"\x1c(E", "FS ( E", "Receipt enhancement control", counted16(3), _logo),
    Spec(b"\x1c(L", "FS ( L", "Label and black mark control", counted16(3), _label),
    Spec(b"\x1c(e", "FS ( e", "Enable/disable ASB for optional functions", counted16(3), _M),
    Spec(b"\x1c(f", "FS ( f", "Cut sheet control", counted16(3), _M),
    Spec(b"\x1c(", "FS (", "Parametric command", counted16(3), Effect.UNKNOWN),
    Spec(b"\x1c-", "FS -", "Turn underline mode on/off for Kanji characters", 3, _M),
    Spec(b"\x1c.", "FS .", "Cancel Kanji character mode", 2, _M),
    Spec(b"\x1c2", "FS 2", "Define user-defined Kanji characters", 76, _D),
    Spec(b"\x1c?", "FS ?", "Cancel user-defined Kanji characters", 4, _M),
    Spec(b"\x1cC", "FS C", "Select Kanji character code system", 3, _M),
    Spec(b"\x1cS", "FS S", "Set Kanji character spacing", 4, _M),
    Spec(b"\x1cW", "FS W", "Turn quadruple-size mode on/off for Kanji characters", 3, _M),
    Spec(b"\x1ca", "FS a", "Load, read or eject check paper", _fs_a, _S),
    Spec(b"\x1cb", "FS b", "Request retransmission of check paper reading", 2, _Q),
    Spec(b"\x1cc", "FS c", "Clean the MICR mechanism", 2, _S),
    Spec(b"\x1cg", "FS g", "Write to / read from NV user memory", _fs_g, _user_memory),
    Spec(b"\x1cp", "FS p", "Print NV bit image", 4, _I),
    Spec(b"\x1cq", "FS q", "Define NV bit image", _DEFINE_NV_IMAGES, _D),
    # GS
    Spec(b"\x1d\x0c", "GS FF", "Feed marked paper to print starting position", 2, _F),
    Spec(b"\x1d!", "GS !", "Select character size", 3, _M),
    Spec(b"\x1d#", "GS #", "Specify image number (dialects)", 3, _M),
    Spec(b"\x1d$", "GS $", "Set absolute vertical print position in page mode", 4, _M),
    Spec(b"\x1d(L", "GS ( L", "Graphics", counted16(3), _graphics),
    Spec(b"\x1d(k", "GS ( k", "Set up and print the symbol", counted16(3), _symbol),
    Spec(b"\x1d(", "GS (", "Parametric command", counted16(3), _parametric_gs),
    Spec(b"\x1d*", "GS *", "Define downloaded bit image", _downloaded_image, _D),
    Spec(b"\x1d/", "GS /", "Print downloaded bit image", 3, _I),
    Spec(b"\x1d:", "GS :", "Start/end macro definition", 2, Effect.MACRO),
    Spec(b"\x1d8L", "GS 8 L", "Graphics, long form", _gs_8_l, _graphics),
    Spec(b"\x1d<", "GS <", "Initialize printer mechanism", 2, _F),
    Spec(b"\x1dA", "GS A", "Correct the print starting position", 4, _M),
    Spec(b"\x1dB", "GS B", "Turn white/black reverse print mode on/off", 3, _M),
    Spec(b"\x1dC", "GS C", "Counter print", _gs_c, _M),
    Spec(b"\x1dD", "GS D", "Windows BMP graphics", _windows_bmp, _D),
    Spec(b"\x1dE", "GS E", "Select head control method (dialects)", 3, _M),
    Spec(b"\x1dF", "GS F", "Set the label's cutting position", 6, _M),
    Spec(b"\x1dH", "GS H", "Select print position of HRI characters", 3, _M),
    Spec(b"\x1dI", "GS I", "Transmit printer ID", 3, _Q),
    Spec(b"\x1dL", "GS L", "Set left margin", 4, _M),
    Spec(b"\x1dP", "GS P", "Set horizontal and vertical motion units", 4, _M),
    Spec(b"\x1dQ", "GS Q", "Print variable vertical size bit image", _variable_bit_image, _I),
    Spec(b"\x1dT", "GS T", "Set print position to the beginning of print line", 3, _P),
    Spec(b"\x1dV", "GS V", "Select cut mode and cut paper", _cut, Effect.CUT),
    Spec(b"\x1dW", "GS W", "Set print area width", 4, _M),
    Spec(b"\x1d\\", "GS \\", "Set relative vertical print position in page mode", 4, _M),
    Spec(b"\x1d^", "GS ^", "Execute macro", 5, _I),
    Spec(b"\x1da", "GS a", "Enable/disable Automatic Status Back", 3, _Q),  # answers at once when it enables
    Spec(b"\x1db", "GS b", "Turn smoothing mode on/off", 3, _M),
    Spec(b"\x1dc", "GS c", "Print counter", 2, Effect.BUFFER),
    Spec(b"\x1df", "GS f", "Select font for HRI characters", 3, _M),
    Spec(b"\x1dg", "GS g", "Maintenance counter", _gs_g, _maintenance),
    Spec(b"\x1dh", "GS h", "Set bar code height", 3, _M),
    Spec(b"\x1dj", "GS j", "Enable/disable Automatic Status Back for ink", 3, _M),
    Spec(b"\x1dk", "GS k", "Print bar code", _bar_code, _bar_code_effect),
    Spec(b"\x1dr", "GS r", "Transmit status", 3, _Q),
    Spec(b"\x1dv", "GS v 0", "Print raster bit image", _raster, _I),
    Spec(b"\x1dw", "GS w", "Set bar code width", 3, _M),
    Spec(b"\x1dz", "GS z 0", "Set online recovery wait time", _gs_z, _M),
    Spec(b"\x1d\xf8", "GS F8h", "Reset or extended status (Bematech)", 3, _S),
    Spec(b"\x1d\xf9", "GS F9h", "Settings (Bematech)", _bematech, _bematech_effect),
    Spec(b"\x1d\xfa", "GS FAh", "Select language (Bematech)", 3, _S),
)

# Fixed lengths by their two-byte key, for the parser's fast path.
FIXED: dict[bytes, int] = {row.prefix: row.length for row in TABLE if isinstance(row.length, int)}
BY_PREFIX: dict[bytes, Spec] = {row.prefix: row for row in TABLE}
# Every proper beginning of a prefix: with only these bytes there is nothing to decide yet.
BEGINNINGS = frozenset(row.prefix[:n] for row in TABLE for n in range(1, len(row.prefix)))
UNKNOWN = Spec(b"", "unknown", "Unknown opcode", 0, Effect.UNKNOWN)


def lookup(raw: bytes) -> Spec | None:
    """The row for the bytes from an introducer on: the longest prefix wins. None: not known (yet)."""
    return BY_PREFIX.get(raw[:3]) or BY_PREFIX.get(raw[:2]) or BY_PREFIX.get(raw[:1])
