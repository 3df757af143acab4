/// Programs whose stacks are known. Each makes the file that is its last argument once it runs.
enum PythonPrograms {
    /// Every way of calling that changes how the interpreter keeps its frames, one after the other, on two threads.
    static let calls = """
        import asyncio, functools, sys, threading, time

        def spin(seconds):
            end = time.perf_counter() + seconds
            count = 0
            while time.perf_counter() < end:
                count += 1
            return count

        class Made:
            def __init__(self, seconds):
                self.value = spin(seconds)

            def method(self):
                return spin(0.002)

            @classmethod
            def of_class(cls):
                return [spin(0.001) for _ in range(2)]

            @property
            def prop(self):
                return spin(0.001)

            def __del__(self):
                spin(0.0005)

        def generator():
            for number in range(2):
                spin(0.001)
                yield number

        def delegating():
            yield from generator()

        def recursive(depth):
            return spin(0.002) if depth == 0 else recursive(depth - 1)

        async def inner():
            await asyncio.sleep(0)
            spin(0.001)

        async def outer():
            await asyncio.gather(inner(), inner())

        def décorated(function):
            @functools.wraps(function)
            def wrapper(*arguments, **named):
                return function(*arguments, **named)
            return wrapper

        @décorated
        def wrapped(seconds, other=1):
            return spin(seconds)

        def many_lines(
            first=0.0005,
            second=0.0005,
        ):
            spin(
                first
            )
            result = (
                spin(second)
                +
                1
            )
            try:
                raise ValueError(result)
            except ValueError:
                spin(first)
            finally:
                spin(second)
            with threading.Lock():
                spin(first)
            return result

        def turn():
            Made(0.001).method()
            Made.of_class()
            Made(0.0005).prop
            list(generator())
            for _ in generator():
                pass
            for _ in delegating():
                pass
            recursive(12)
            sorted([2, 1], key=lambda item: spin(0.001))
            list(map(wrapped, [0.001]))
            functools.reduce(lambda left, right: spin(0.001), [1, 2, 3])
            wrapped(0.001, other=2)
            eval("spin(0.001)")
            exec("def made_here():\\n    spin(0.001)\\nmade_here()", globals())
            {key: spin(0.0005) for key in range(2)}
            many_lines()
            asyncio.run(outer())

        def forever():
            while True:
                turn()

        threading.Thread(target=forever, daemon=True).start()
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        open(sys.argv[-1], "w").close()
        forever()

        """

    /// Time of 60 : 30 : 10, each in a chain of its own, by the process's own clock.
    static let shares = """
        import sys, time

        def burn(seconds):
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass

        def sixty():
            burn(0.006)

        def thirty():
            for _ in range(1):
                third(0.003)

        def third(seconds):
            list(map(lambda part: burn(part), [seconds]))

        def ten():
            next(part() for part in [lambda: burn(0.001) or 1])

        def main():
            while True:
                sixty()
                thirty()
                ten()

        open(sys.argv[-1], "w").close()
        main()

        """

    /// Calls as fast as the interpreter can: frames come and go far faster than they are read.
    static let storm = """
        import sys, threading

        def leaf(number):
            return number + 1

        def fibonacci(number):
            return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

        def numbers():
            for number in range(50):
                yield leaf(number)

        class Small:
            def __init__(self, number):
                self.number = leaf(number)

        def main():
            while True:
                fibonacci(12)
                sum(numbers())
                sorted(range(20), key=lambda number: leaf(-number))
                [Small(number) for number in range(20)]
                exec(compile("def fresh():\\n    return leaf(1)\\nfresh()", "made-up.py", "exec"), globals())

        open(sys.argv[-1], "w").close()
        main()

        """

    /// A child by fork, without exec, whose parent waits.
    static let forked = """
        import os, sys, time

        def in_child():
            while True:
                time.perf_counter()

        child = os.fork()
        if child == 0:
            in_child()
        with open(sys.argv[-1], "w") as mark:
            mark.write(str(child))
        os.waitpid(child, 0)

        """

    /// Far deeper than is kept.
    static let deep = """
        import sys, time
        sys.setrecursionlimit(10000)

        def down(depth):
            if depth == 0:
                time.sleep(1000)
            return down(depth - 1)

        open(sys.argv[-1], "w").close()
        down(2000)

        """

    /// A stack of 21 frames that stays.
    static let deepEnough = """
        import sys, time

        def down(depth):
            while depth == 0:
                time.perf_counter()
            return down(depth - 1)

        open(sys.argv[-1], "w").close()
        down(19)

        """
}
