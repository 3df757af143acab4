// Process identity calls that Glibc's module does not show to Swift.
#pragma once
#include <sys/syscall.h>
#include <unistd.h>
