"""Send one letter: by SMTP, or into the sandbox's mailbox during development."""

from __future__ import annotations

import re
import smtplib
import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, make_msgid
from typing import Any

from flask import render_template
from markupsafe import Markup

from portal.wording import language, russian_within, say, speaking

SECONDS = 15


class _Policy(EmailPolicy):
    """The library's own folding of a long subject loses the space between two encoded words, so that words
    grow together in the mailbox; its older one does not.
    """

    def fold(self, name: str, value: Any) -> str:
        """A header as text."""
        return _subject(value) if name == "Subject" else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """A header as bytes."""
        return _subject(value).encode("ascii") if name == "Subject" else super().fold_binary(name, value)


_POLICY = _Policy(linesep="\r\n")


def _subject(value: Any) -> str:
    text = str(value)
    header = Header(text, "us-ascii" if text.isascii() else "utf-8", header_name="Subject")
    return f"Subject: {header.encode(linesep=_POLICY.linesep)}{_POLICY.linesep}"


class MailError(Exception):
    """The letter was not taken over; sending it later may work."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The words of one letter."""

    subject: str
    text: str
    html: str


_GAPS = re.compile(r"\n{3,}")


def compose(kind: str, facts: Mapping[str, Any], tongue: str = "") -> Letter:
    """Write the letter ``templates/emails/<kind>`` in *tongue*, or the present reader's language.

    The text's first line is ``Subject: …``.
    """
    with speaking(tongue or language()):
        head, _, text = render_template(f"emails/{kind}.txt", **facts).partition("\n\n")
        foot = render_template("emails/base.txt", **facts)
        html = str(russian_within(Markup(dressed(render_template(f"emails/{kind}.html", **facts)))))  # noqa: S704 - a template's
    subject = head.removeprefix("Subject:").strip()
    # What is not said of this reader leaves an empty line behind.
    text = _GAPS.sub("\n\n", f"{text.strip()}\n\n{foot.strip()}\n")
    return Letter(subject, text, html)


def dressed(html: str) -> str:
    """A letter's plain elements with what mail programs need: many know no style sheet, some no style at all.

    Colours are inline and as attributes, and stay apart when a program turns them round by itself; classes
    are for the style sheet of the dark. A button has its link below as text, for whoever cannot press it.
    """
    hint = say("Если кнопка не открывается, вот ссылка:")
    for plain, dress in _DRESS:
        html = plain.sub(dress.replace("HINT", hint), html)
    return html


_INK, _MUTED, _ACCENT, _LINE = "#18211d", "#565f59", "#0c6a4b", "#dfdbd0"
_CELL = f"padding:10px 0;border-top:1px solid {_LINE};font-size:15px;line-height:22px;"
_LINKED = f"color:{_ACCENT};text-decoration:underline"
_LINK = f'class="accent" style="{_LINKED}"'
_DRESS = (
    (re.compile(r"<a href="), f"<a {_LINK} href="),
    (
        re.compile(r'<p>\s*<a class="button"\s+href="([^"]+)">(.*?)</a>\s*</p>', re.DOTALL),
        (
            '<table role="presentation" cellpadding="0" cellspacing="0" border="0"'
            ' style="margin:8px 0 12px"><tr>'
            f'<td class="button-cell" bgcolor="{_ACCENT}" style="border-radius:10px;background:{_ACCENT}">'
            r'<a class="button-link" href="\1" style="display:inline-block;padding:14px 26px;color:#ffffff;'
            r'font-size:16px;line-height:20px;font-weight:600;text-decoration:none">\2</a></td></tr></table>'
            f'<p class="muted" style="margin:0 0 20px;color:{_MUTED};font-size:13px;line-height:20px">'
            rf'HINT<br><a class="accent" style="{_LINKED};word-break:break-all" href="\1">\1</a></p>'
        ),
    ),
    (
        re.compile(r"<tr>\s*<td>(.*?)</td>\s*<td>(.*?)</td>\s*</tr>", re.DOTALL),
        (
            f'<tr><th class="muted line" scope="row" align="left" valign="top" style="{_CELL}'
            rf'padding-right:16px;color:{_MUTED};font-weight:400;text-align:left">\1</th>'
            f'<td class="ink line" align="right" valign="top" style="{_CELL}color:{_INK};font-weight:600;'
            r'text-align:right">\2</td></tr>'
        ),
    ),
    (
        re.compile(r"<table>"),
        (
            '<table width="100%" cellpadding="0" cellspacing="0" border="0" style="margin:0 0 24px;'
            'border-collapse:collapse">'
        ),
    ),
    (
        re.compile(r"<h1>"),
        (
            f'<h1 class="ink" style="margin:0 0 16px;color:{_INK};font-size:24px;line-height:30px;'
            'font-weight:700">'
        ),
    ),
    (
        re.compile(r"<p>"),
        f'<p class="ink" style="margin:0 0 16px;color:{_INK};font-size:16px;line-height:24px">',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """How letters leave. Exactly one of *server* and *sandbox_url* is set; neither means that mail is off."""

    sender: str
    server: str = ""
    port: int = 587
    username: str = ""
    password: str = field(default="", repr=False)
    use_tls: bool = True
    sandbox_url: str = ""

    def send(self, to: str, words: Letter) -> None:
        """Hand one letter over. Raises :class:`MailError` when it was not accepted."""
        letter = EmailMessage(policy=_POLICY)
        letter["From"], letter["To"], letter["Subject"] = self.sender, to, words.subject
        letter["Date"], letter["Message-ID"] = (
            formatdate(),
            make_msgid(domain=self.sender.partition("@")[2] or None),
        )
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(words.text)
        letter.add_alternative(words.html, subtype="html")
        try:
            self._hand_over(letter)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise MailError(type(error).__name__) from error

    def _hand_over(self, letter: EmailMessage) -> None:
        if self.sandbox_url:
            request = urllib.request.Request(  # noqa: S310 - config.py lets only loopback through
                self.sandbox_url,
                data=letter.as_bytes(),
                headers={"Content-Type": "message/rfc822"},
                method="POST",
            )
            urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310 - as above
            return
        if not self.server:
            raise OSError("MAIL_SERVER is not set")
        with smtplib.SMTP(self.server, self.port, timeout=SECONDS) as smtp:
            if self.use_tls:
                smtp.starttls(context=ssl.create_default_context())
            if self.username:
                smtp.login(self.username, self.password)
            smtp.send_message(letter)
