"""Every letter as the styleguide shows it: in the light, in the dark, with colours turned round, as text."""

from __future__ import annotations

from dev.gallery.scenes import Scene
from portal.web import letter_samples

SCENES = (
    Scene(name="mail", title="Письма: все", endpoint="styleguide_mail.index"),
    *(
        Scene(
            name=f"mail-{kind.replace('_', '-')}",
            title=f"Письмо {kind}",
            endpoint="styleguide_mail.show",
            values={"kind": kind},
        )
        for kind in letter_samples.SAMPLES
    ),
)
