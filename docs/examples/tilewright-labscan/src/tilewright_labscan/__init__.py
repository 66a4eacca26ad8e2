from tilewright import FormatSpec, hookimpl


def is_labscan(path, first_bytes):
    return first_bytes.startswith(b"LABSCAN 1\n")


@hookimpl
def tilewright_readers():
    return [
        FormatSpec(
            name="labscan",
            target="tilewright_labscan.reader:read",
            summary="Scans of the microscope in the basement.",
            suffixes=(".labscan",),
            sniff=is_labscan,
        )
    ]
