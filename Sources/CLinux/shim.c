#include "identity.h"
#include "perf_events.h"
#include "scheduling.h"
#include "wake.h"
