"""Runs ministack until standard input ends, so that it does not outlive whoever started it."""

import os
import sys
import threading

from ministack.app import main
from ministack.core import lambda_runtime


def wait_for_the_end():
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


def kill_when_idle(kill):
    """Who is replaced by a new version finishes the invocation that it has, as on AWS; ministack
    would end it in the middle."""

    def finish(worker):
        # Held by an invocation for as long as it takes.
        with worker._lock:
            pass
        kill([worker])

    def kill_workers(workers):
        busy = [worker for worker in workers if worker and worker._lock.locked()]
        kill([worker for worker in workers if worker not in busy])
        for worker in busy:
            threading.Thread(target=finish, args=(worker,), daemon=True).start()

    return kill_workers


lambda_runtime.kill_workers = kill_when_idle(lambda_runtime.kill_workers)
threading.Thread(target=wait_for_the_end, daemon=True).start()
sys.argv = ["ministack"]
main()
