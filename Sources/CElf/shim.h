// DWARF and ELF by elfutils: libdw and libelf.
#pragma once
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>
