"""Hindi in Latin letters, as much of Hindi on social media is written; no detector of languages knows it.

Two different function words that no other language of the table shares, and a quarter of all words among those or
among the ambiguous ones. Measured in docs/languages.md.
"""

from __future__ import annotations

import re

LEAST_DISTINCT, LEAST_SHARE = 2, 0.25
# Of the tweets in docs/languages.md that the rule takes, all but one are from the Hindi set.
CONFIDENCE = 0.99
_WORD = re.compile("[a-z]+")
_DISTINCTIVE = """
    aaj aap aapka aapke aapki aapko abhi accha acha achha achhe aadmi agar aise aisa apna apne apni aur aurat baad baat
    bahot bahut ban bana banane banaya beta beti bhai bharat bhi bohot bol bolo chahie chahiye chor dega dekh dekho
    denge desh dil diya diye gareeb garib gaya gaye gayi haan hai hain hamara hamare hamari hamen hamko hindustan hoga
    hogi hona hone honge hota hote hoti hua hue hui hum humein hume humko huwa idhar inhe inka inki inko isko isliye
    iske iski jaise jana janta jao jayega jaana jab jhooth jiska jyada kab kaam kahan kaise kaisa kam kar karega karegi
    karenge karke karna karne karo karta karte karti kaun kisi kisko kitna kitne kitni kiya kiye koi kuch kuchh kya kyon
    kyu kyuki kyun kyunki ladka ladki lekin liya liye log logo logon magar mai matlab mein mera meri mila mile milega
    mujhe mujhko nahi nahii nahin nai neta nhi paisa paise pehle phir pyaar raha rahe rahi raho rakho saath sab sabse
    sach sarkar sath sirf suno tak teko tera teri tha thay thi toh tujhe tum tumhara tumhare tumhari tumhe udhar
    unhe unka unke unki unko uska uske uski usko waale wahan wahi waise wala wale wali woh yaar yahan yahi yeh zindagi
    ziyada zyada
"""
_AMBIGUOUS = "ab bas de do ek h hi ho is jo ka ke ki ko le main me mere na ne par pe po re se tere the to tu us wo ye"
_DISTINCTIVE_WORDS, _AMBIGUOUS_WORDS = frozenset(_DISTINCTIVE.split()), frozenset(_AMBIGUOUS.split())


def is_romanised(text: str) -> bool:
    """Whether a text in Latin letters is Hindi."""
    words = _WORD.findall(text.lower())
    distinctive = [word for word in words if word in _DISTINCTIVE_WORDS]
    if len(set(distinctive)) < LEAST_DISTINCT:
        return False
    ambiguous = sum(word in _AMBIGUOUS_WORDS for word in words)
    return len(distinctive) + ambiguous >= LEAST_SHARE * len(words)
