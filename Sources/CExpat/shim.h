/* Debian's libexpat is built with these, and the header shows the guard against entity expansion only then. */
#define XML_DTD 1
#define XML_GE 1
#include <expat.h>
