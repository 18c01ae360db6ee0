"""Letters as a mailbox reads them."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as some

from portal.mail import Letter, Mailer

WORDS = some.text("абвгдежзийклмнопрстуфхцчшщъыьэюяё«»–%0123456789abc", min_size=1, max_size=30)


def read(subject: str) -> tuple[str, list[bytes]]:
    """What a mailbox shows for a subject, and the lines of the header that carried it."""
    sent: list[bytes] = []

    class Kept(Mailer):
        def _hand_over(self, letter: EmailMessage) -> None:
            sent.append(letter.as_bytes())

    Kept(sender="shop@example.com").send("ira@example.com", Letter(subject, "x", "<p>x</p>"))
    head, _, _ = sent[0].partition(b"\r\n\r\n")
    message: Any = message_from_bytes(sent[0], EmailMessage, policy=default)
    return str(message["Subject"]), head.split(b"\r\n")


@given(some.lists(WORDS, min_size=1, max_size=14))
@example(["Сохраните", "карту", "ещё", "раз,", "чтобы", "тариф", "продлевался", "без", "перерыва"])
def test_a_subject_arrives_as_it_was_written(words: list[str]) -> None:
    """However long: no space is lost where the header is folded, and no line is longer than mail allows."""
    subject = " ".join(words)
    shown, lines = read(subject)
    assert shown == subject
    assert max(map(len, lines)) <= 78
