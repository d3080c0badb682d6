// SPDX-License-Identifier: GPL-2.0-only OR MIT

/**
 * A Java program whose machine turns faults into exceptions, beside a library that takes every signal
 * that reaches it. Its arguments are the library's file and steps: `install` (the library's handler),
 * `null` (a null dereference), `native` (a fault in the library's text), `overflow` (of the stack).
 */
class Nulls {
    private int field = 1;

    static native void install();

    static native int fault();

    private static int depth(int level) {
        return depth(level + 1) + level;
    }

    private static String step(String step) {
        try {
            switch (step) {
                case "install": install(); return "installed";
                case "native": return fault() == 1 ? "library" : "none";
                case "overflow": return "depth " + depth(0);
                default: Nulls none = null; return "field " + none.field;
            }
        } catch (NullPointerException | StackOverflowError error) {
            return error.getClass().getSimpleName();
        }
    }

    public static void main(String[] steps) {
        System.load(steps[0]);
        for (int index = 1; index < steps.length; index++) {
            // Often enough for the compiler to take it.
            String said = "";
            int count = steps[index].equals("null") ? 20000 : 1;
            for (int time = 0; time < count; time++) {
                said = step(steps[index]);
            }
            System.out.print(said + " ");
        }
        System.out.println();
    }
}
