"""`ntkexec certify`: margins, the bit that fails, the options that change it."""

from support.commands import KEYS, one_object

from ntkexec import pipeline

CERTIFY = ("certify", "flooding", "--degree", 2, "--word", 3)


def test_a_factored_program_is_certified(command):
    status, out, err = command(*CERTIFY)
    assert (status, err) == (0, "")
    assert "certified at infinite width: smallest margin" in out
    assert "network(s) per learning problem, for 1,000,000 decisions" in out
    status, out, _ = command(*CERTIFY, "--json")
    data = one_object(out)
    assert status == 0
    assert data["parameters"] == {"degree": 2, "slots": 5, "message_bits": 3, "arrival_bits": 4}
    assert set(KEYS["program"]) <= set(data["program"])
    assert set(KEYS["certificate"]) <= set(data["certificate"])
    assert data["certificate"]["certified"] is True
    assert data["certificate"]["ensemble_size"] >= 1


def test_a_joint_program_without_padding_is_not_and_the_bit_is_named(command):
    shared = ("--ensemble-kind", "joint", "--threshold", "shared")
    status, out, err = command(*CERTIFY, *shared)
    assert (status, err) == (1, "")
    (verdict,) = [line for line in out.splitlines() if "not certified: bit " in line]
    names = pipeline.find_algorithm("flooding").program(
        degree=2, slots=5, message_bits=3, arrival_bits=4
    )
    assert verdict.split("not certified: bit ")[1].split(" has ")[0] in names.layout.bit_names
    padding = int(verdict.split("padding with ")[1].split()[0])
    status, out, _ = command(*CERTIFY, *shared, "--json")
    data = one_object(out)
    assert (status, data["certificate"]["certified"]) == (1, False)
    assert data["certificate"]["ensemble_size"] is None
    # The padding that it names is enough, and one less is not.
    joint = (*CERTIFY, *shared, "--padding")
    assert [command(*joint, p)[0] for p in (padding, padding - 1)] == [0, 1]
    assert command(*joint, "auto")[0] == 0
    # Thresholds for each bit need none, and the other conventions are told beside them.
    status, out, _ = command(*CERTIFY, "--ensemble-kind", "joint", "--json")
    data = one_object(out)["certificate"]
    assert (status, data["convention"]) == (0, "bit")
    assert {name: one["certified"] for name, one in data["conventions"].items()} == {
        "zero": False,
        "shared": False,
        "bit": True,
    }


def test_other_options_change_the_certificate(command):
    plain = one_object(command(*CERTIFY, "--json")[1])
    options = ("--slots", 3, "--arrival-bits", 2, "--bound", 2, "--delta", 0.5, "--decisions", 10)
    other = one_object(command(*CERTIFY, *options, "--json")[1])
    assert other["parameters"] == {"degree": 2, "slots": 3, "message_bits": 3, "arrival_bits": 2}
    assert other["certificate"]["delta"] == 0.5
    assert other["certificate"]["decisions"] == 10
    assert other["certificate"]["max_matches"] == 2 < plain["certificate"]["max_matches"]
    assert other["program"]["templates"] < plain["program"]["templates"]


def test_other_kernels_are_certified_in_the_limit_alone(command, tmp_path):
    joint = (*CERTIFY, "--ensemble-kind", "joint")
    plain = one_object(command(*joint, "--json")[1])
    assert plain["certificate"]["kernel"] == "ReLU NTK"
    assert plain["finite_width"] is not None
    for options, told in (
        (("--depth", 3), "ReLU NTK, 3 hidden layers"),
        (("--kernel", "nngp"), "ReLU NNGP (the last layer learns)"),
        (("--activation", "erf"), "erf NTK"),
        (("--bias-std", 1), "ReLU NTK, biases of standard deviation 1"),
    ):
        status, out, _ = command(*joint, *options, "--json")
        data = one_object(out)
        assert (status, data["certificate"]["kernel"], data["finite_width"]) == (0, told, None)
        assert data["certificate"]["threshold"] != plain["certificate"]["threshold"]
    status, out, _ = command(*joint, "--depth", 3)
    assert "in the limit alone" in out
    assert "at width" not in out
    status, _, err = command(*joint, "--depth", 0)
    assert (status, "got depth 0" in err) == (2, True)
    status, _, err = command("certify", "flooding", "--ensemble", tmp_path, "--activation", "erf")
    assert (status, "can be certified at infinite width, and not run" in err) == (2, True)
