/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A library that has a Java machine, in whose code a null dereference is a signal that the machine
 * handles. CLASSES is the folder of Nulls.class.
 */
#include <jni.h>
#include <signal.h>
#include <string.h>

void host_note(const char *name, int signal, siginfo_t *info, void *context);

static JNIEnv *environment;

/* The machine installs its handlers. */
void start(void)
{
	JavaVMOption options[] = {
		{ .optionString = "-Djava.class.path=" CLASSES },
		{ .optionString = "-XX:+UseSerialGC" },
		{ .optionString = "-XX:TieredStopAtLevel=1" },
		{ .optionString = "-XX:-CreateCoredumpOnCrash" },
		{ .optionString = "-XX:ErrorFile=/dev/null" },
	};
	JavaVMInitArgs arguments = {
		.version = JNI_VERSION_10,
		.nOptions = sizeof(options) / sizeof(*options),
		.options = options,
	};
	JavaVM *machine;

	if (JNI_CreateJavaVM(&machine, (void **)&environment, &arguments))
		environment = NULL;
}

/* What Nulls.step says of a step that is taken so often; notes that it is what is wanted. */
static void step(const char *name, int count, const char *wanted)
{
	jclass class = environment ? (*environment)->FindClass(environment, "Nulls") : NULL;
	jmethodID method;
	jstring said = NULL;
	const char *text;

	if (!class)
		return;
	method = (*environment)->GetStaticMethodID(environment, class, "step",
						   "(Ljava/lang/String;)Ljava/lang/String;");
	for (int i = 0; method && i < count; i++) {
		jstring step = (*environment)->NewStringUTF(environment, name);

		said = (*environment)->CallStaticObjectMethod(environment, class, method, step);
		if (i < count - 1)
			(*environment)->DeleteLocalRef(environment, said);
		(*environment)->DeleteLocalRef(environment, step);
	}
	if (!said)
		return;
	text = (*environment)->GetStringUTFChars(environment, said, NULL);
	if (!strcmp(text, wanted))
		host_note("java", 0, NULL, NULL);
	(*environment)->ReleaseStringUTFChars(environment, said, text);
}

/* A null dereference, often enough for the machine to compile it. */
void fault(void)
{
	step("null", 1000, "NullPointerException");
}

void overflow(void)
{
	step("overflow", 1, "StackOverflowError");
}
