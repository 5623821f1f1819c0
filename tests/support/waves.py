"""Small programs whose messages travel."""

from ntkexec.language import Builder, Flag


def two_hops():
    """A flag that travels two hops a round, and a counter that depends on the colour."""
    p = Builder("two-hops", slots=5, degree=2)
    here, heard = p.flag("here"), p.flag("heard")
    inbox = p.message(Flag("call"))
    for name, source in (("first", here), ("second", heard)):
        with p.phase(f"send {name}"):
            p.send(inbox.call, source)
            p.clear(source)
        with p.phase(f"take {name}"):
            for slot in p.slots:
                p.set(heard if source is here else here, when=inbox[slot].call & ~p.colour[slot])
    return p.compile()
