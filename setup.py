import sys

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "hunchensocket_tx.wire._speedups",
            ["hunchensocket_tx/wire/_speedups.c"],
            extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
            optional=True,  # what it does is there in Python too
        )
    ]
)
