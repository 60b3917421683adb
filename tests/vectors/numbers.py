"""What the tests of formats share."""


def reads_as_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
