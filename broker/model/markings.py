"""The marking block of a portion, and the code lists that no exchange may extend."""

from __future__ import annotations

from typing import Final

from broker.model.members import Members
from broker.model.refusal import Refusal
from broker.model.strictjson import JsonValue
from broker.model.values import Marking
from broker.model.words import Tlp
from policy.vocabulary import Vocabulary

#: NIEM 6 `cui.xsd`: the basic categories …
_BASIC: Final = (
    "ADJ ADPO AG APP ASYL BARG BATT CMPRS COMPT CONREG CONV CRIT CVI CVIC DCNI DCRIT DREC EMGT EXPT EXPTR FHFANPI FINT"
    " FNC FSEC FSI GENETIC HLTH ID INF INTEL INV INVENT ISVI IVIC JURY JUV LCOMM LEI LMI LNSL LPROT LSCRN LVIC MERG MIL"
    " NETW NNPI NUC OCCMTO OPSEC PERS PEST PHYS POST PRE PRIIG PRIOR PRIVILEGE PROPIN PROT PRVCY PSEC RAIL RECCOM RESD"
    " RTR RWRD SAFE SBIZ SCV SERV SRI SSEL STAT STUD SURV TAI TRACE UCNI VISA WATER WHSTL WIT XFER"
)
#: … and the specified ones.
_SPECIFIED: Final = (
    "ADPO AIV ARCHR BUDG CCI CEII CENS CHLD CHRI CONTRACT CRITAN CTI CVI DCNI EXPT FISA FISAB FNC FSEC FUND GENETIC GEO"
    " HISTP HLTH ID IFNC INF INTEL INTL INV JURY LDNA LFNC LPROT MFC NNPI NPSR NUC PCII PERS PRIIG PROCURE PROPIN PRVCY"
    " SGI SRI SSEL SSI STAT STUD SUB TAX TSCA UCNI WDT WHSTL WIT"
)
CUI_CATEGORIES: Final = frozenset(_BASIC.split()) | frozenset(f"SP-{code}" for code in _SPECIFIED.split())
#: Asylee and visa records are immigration status under another name.
IMMIGRATION_CATEGORIES: Final = frozenset({"ASYL", "VISA"})
UNCLASSIFIED: Final = "U"

_TLP: Final = frozenset(map(str, Tlp))


def read_marking(value: JsonValue, pointer: str, vocabulary: Vocabulary | None) -> Marking:
    """Read a portion's marking.

    Without a vocabulary (a portion from another gateway) any short control or caveat is kept: the rules treat what
    their vocabulary does not know as unknown, so it blocks.

    Raises:
        Refusal: `missing-marking` without classification or TLP, `classified` for any classification above U,
            `immigration-status` for a CUI category that means it, `not-in-vocabulary`.
    """
    if value is None:
        raise Refusal("missing-marking", pointer, "every portion is marked by a person")
    members = Members(value, pointer)
    if members.need("classification", "missing-marking") != UNCLASSIFIED:
        raise Refusal("classified", members.at("classification"), "only unclassified text (`U`) enters")
    marking = Marking(
        tlp=Tlp(members.word("tlp", _TLP, code="missing-marking")),
        cui=members.words("cui", CUI_CATEGORIES),
        dissemination=_controls(members, "dissemination", vocabulary),
        caveats=_controls(members, "caveats", vocabulary),
    )
    members.done()
    if marking.cui is not None and marking.cui & IMMIGRATION_CATEGORIES:
        raise Refusal("immigration-status", members.at("cui"), "immigration records are not shared here")
    return marking


def _controls(members: Members, name: str, vocabulary: Vocabulary | None) -> frozenset[str] | None:
    if vocabulary is not None:
        return members.words(name, vocabulary.bulletin[name].values)
    return members.lines(name)
