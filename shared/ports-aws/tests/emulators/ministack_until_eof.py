"""Runs ministack until standard input ends, so that it does not outlive whoever started it."""

import os
import sys
import threading

from ministack.app import main


def wait_for_the_end():
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


threading.Thread(target=wait_for_the_end, daemon=True).start()
sys.argv = ["ministack"]
main()
