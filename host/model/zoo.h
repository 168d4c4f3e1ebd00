/* zoo.h: the YAML texts of configs/zoo inside the program (build/zoo.c, made by the Makefile).
 */
#ifndef EXPCONV_ZOO_H
#define EXPCONV_ZOO_H

typedef struct xc_zoo_file {
    const char *name; /* "cnn-deep" */
    const char *text; /* its YAML */
} xc_zoo_file;

/* Ends with a member whose name is NULL. */
extern const xc_zoo_file xc_zoo_files[];

#endif
