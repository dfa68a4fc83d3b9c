/* Compiled twins of what is in pure.py, which says what each of them is for, takes and returns.
 *
 * Not for the stable ABI, though it would make one wheel for all Pythons: the text of a str is written in place
 * here, which costs one pass over memory in place of three, and a stable call costs half as much again.
 *
 * Nothing is kept outside of objects, and nothing a peer sends raises.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

#ifdef _MSC_VER
#define restrict __restrict
#endif

enum {
    TEXT = 0x81, /* first bytes of a frame that is a whole message: FIN and the opcode (RFC 6455 section 5.2) */
    BINARY = 0x82,
    MASKED = 0x80, /* bit of the second byte */
    KEY_SIZE = 4,
    WORD = 8,
    SPARE = 4096, /* bytes that a message in parts may reserve besides a multiple of what has come */
};

static const uint8_t NO_KEY[KEY_SIZE] = {0, 0, 0, 0};
static const uint64_t HIGH_BITS = UINT64_C(0x8080808080808080);

/* Masking */

/* Mask onto `to`, with a key that is turned to where `from` starts; tell whether anything there is not ASCII. */
static int
mask_onto(uint8_t *restrict to, const uint8_t *restrict from, Py_ssize_t size, const uint8_t *key)
{
    uint8_t keys[3 * KEY_SIZE];
    uint64_t word, mask, seen = 0;
    Py_ssize_t i;

    if (size < WORD) {
        uint8_t bits = 0;
        for (i = 0; i < size; i++) {
            to[i] = from[i] ^ key[i % KEY_SIZE];
            bits |= to[i];
        }
        return bits >> 7;
    }
    for (i = 0; i < 3; i++)
        memcpy(keys + i * KEY_SIZE, key, KEY_SIZE);
    memcpy(&mask, keys, WORD);
    for (i = 0; i <= size - WORD; i += WORD) {
        memcpy(&word, from + i, WORD);
        word ^= mask;
        seen |= word;
        memcpy(to + i, &word, WORD);
    }
    if (i < size) { /* the last word, of which a part is done already */
        i = size - WORD;
        memcpy(&mask, keys + i % KEY_SIZE, WORD);
        memcpy(&word, from + i, WORD);
        word ^= mask;
        seen |= word;
        memcpy(to + i, &word, WORD);
    }
    return (seen & HIGH_BITS) != 0;
}

static PyObject *
apply_mask(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Py_buffer data;
    PyObject *masked;

    if (nargs != 2 || !PyBytes_Check(args[1]) || PyBytes_GET_SIZE(args[1]) != KEY_SIZE) {
        PyErr_SetString(PyExc_TypeError, "apply_mask(data, key of four bytes)");
        return NULL;
    }
    if (PyObject_GetBuffer(args[0], &data, PyBUF_SIMPLE) < 0)
        return NULL;
    masked = PyBytes_FromStringAndSize(NULL, data.len);
    if (masked != NULL && data.len)
        mask_onto((uint8_t *)PyBytes_AS_STRING(masked), data.buf, data.len,
                  (const uint8_t *)PyBytes_AS_STRING(args[1]));
    PyBuffer_Release(&data);
    return masked;
}

/* Arguments */

/* What is not taken yet of the bytes that arrived, and where what they complete goes. */
typedef struct {
    const uint8_t *data;
    Py_ssize_t position, size, limit;
    PyObject *events;
} Arrival;

/* A limit may be any number, also one that no payload can reach. */
static int
read_limit(PyObject *number, Py_ssize_t *limit)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);

    if (value == -1 && PyErr_Occurred())
        return -1;
    if (overflow > 0 || value > PY_SSIZE_T_MAX)
        *limit = PY_SSIZE_T_MAX;
    else
        *limit = overflow < 0 || value < 0 ? 0 : (Py_ssize_t)value;
    return 0;
}

static int
read_arrival(Arrival *arrival, PyObject *data, PyObject *position, PyObject *limit, PyObject *events)
{
    if (!PyBytes_Check(data) || !PyList_Check(events)) {
        PyErr_SetString(PyExc_TypeError, "data has to be bytes, and events a list");
        return -1;
    }
    arrival->data = (const uint8_t *)PyBytes_AS_STRING(data);
    arrival->size = PyBytes_GET_SIZE(data);
    arrival->events = events;
    arrival->position = PyLong_AsSsize_t(position);
    if (arrival->position == -1 && PyErr_Occurred())
        return -1;
    if (arrival->position < 0 || arrival->position > arrival->size) {
        PyErr_SetString(PyExc_ValueError, "the position is not within the data");
        return -1;
    }
    return read_limit(limit, &arrival->limit);
}

/* Take note of a message that ends at a position; 0 if there is none: it was no UTF-8, or an exception is set. */
static int
deliver(Arrival *arrival, PyObject *message, Py_ssize_t end)
{
    int failed;

    if (message == NULL)
        return 0;
    failed = PyList_Append(arrival->events, message);
    Py_DECREF(message);
    if (failed < 0)
        return 0;
    arrival->position = end;
    return 1;
}

static PyObject *
where_it_ended(const Arrival *arrival)
{
    return PyErr_Occurred() ? NULL : PyLong_FromSsize_t(arrival->position);
}

/* Receiving */

/* Decode; NULL without an exception if `errors` is "strict" and it is not UTF-8. */
static PyObject *
decode(const uint8_t *from, Py_ssize_t size, const char *errors)
{
    PyObject *text = PyUnicode_DecodeUTF8((const char *)from, size, errors);

    if (text == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_Clear();
    return text;
}

/* The same, of masked text. It is unmasked into a new str, which is all there is to do if it was ASCII. */
static PyObject *
unmask_text(const uint8_t *from, Py_ssize_t size, const uint8_t *key, const char *errors)
{
    PyObject *text = PyUnicode_New(size, 127);

    if (text != NULL && size && mask_onto(PyUnicode_DATA(text), from, size, key)) {
        PyObject *encoded = text;
        text = decode(PyUnicode_DATA(encoded), size, errors);
        Py_DECREF(encoded);
    }
    return text;
}

static PyObject *
unmask_binary(const uint8_t *from, Py_ssize_t size, const uint8_t *key)
{
    PyObject *binary = PyBytes_FromStringAndSize(NULL, size);

    if (binary != NULL && size)
        mask_onto((uint8_t *)PyBytes_AS_STRING(binary), from, size, key);
    return binary;
}

/* Return the size of a frame's head; 0 if it is not a whole message, or not all here, or for pure.py to judge. */
static Py_ssize_t
read_head(const uint8_t *frame, Py_ssize_t available, int masked, Py_ssize_t limit, Py_ssize_t *length)
{
    uint64_t size;
    Py_ssize_t head;

    if (available < 2 || (frame[0] != TEXT && frame[0] != BINARY) || frame[1] >> 7 != masked)
        return 0;
    size = frame[1] & 0x7F;
    head = size < 126 ? 2 : size == 126 ? 4 : 10;
    if (available < head)
        return 0;
    if (head > 2) {
        size = 0;
        for (Py_ssize_t i = 2; i < head; i++)
            size = size << 8 | frame[i];
        if (size < (head == 4 ? 126 : 65536))
            return 0;
    }
    head += masked ? KEY_SIZE : 0;
    if (size > (uint64_t)limit || available < head || (uint64_t)(available - head) < size)
        return 0;
    *length = (Py_ssize_t)size;
    return head;
}

static PyObject *
take_messages(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Arrival arrival;
    Py_ssize_t head, length;
    PyObject *message;
    int masked;

    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "take_messages(data, position, masked, limit, events)");
        return NULL;
    }
    masked = PyObject_IsTrue(args[2]);
    if (masked < 0 || read_arrival(&arrival, args[0], args[1], args[3], args[4]) < 0)
        return NULL;
    do {
        const uint8_t *frame = arrival.data + arrival.position, *payload;

        head = read_head(frame, arrival.size - arrival.position, masked, arrival.limit, &length);
        if (!head)
            break;
        payload = frame + head;
        message = frame[0] == TEXT ? unmask_text(payload, length, masked ? payload - KEY_SIZE : NO_KEY, NULL)
                                   : unmask_binary(payload, length, masked ? payload - KEY_SIZE : NO_KEY);
    } while (deliver(&arrival, message, arrival.position + head + length));
    return where_it_ended(&arrival);
}

static PyObject *
take_texts(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    Arrival arrival;
    const uint8_t *text, *end;
    const char *errors;

    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "take_texts(data, position, limit, errors, events)");
        return NULL;
    }
    errors = PyUnicode_AsUTF8(args[3]);
    if (errors == NULL || read_arrival(&arrival, args[0], args[1], args[2], args[4]) < 0)
        return NULL;
    do {
        if (arrival.position >= arrival.size || arrival.data[arrival.position] != 0x00)
            break;
        text = arrival.data + arrival.position + 1;
        end = memchr(text, 0xFF, (size_t)(arrival.data + arrival.size - text));
        if (end == NULL || end - text > arrival.limit)
            break;
    } while (deliver(&arrival, unmask_text(text, end - text, NO_KEY, errors), end + 1 - arrival.data));
    return where_it_ended(&arrival);
}

/* Sending */

/* Make bytes of a payload, masked if there is a key, and what stands around it. No payload is near the largest size,
 * as it is in memory.
 */
static PyObject *
build_message(uint8_t first, const char *payload, Py_ssize_t size, const uint8_t *key)
{
    Py_ssize_t head = size < 126 ? 2 : size < 65536 ? 4 : 10;
    PyObject *frame = PyBytes_FromStringAndSize(NULL, head + (key == NULL ? 0 : KEY_SIZE) + size);
    uint8_t *to;

    if (frame == NULL)
        return NULL;
    to = (uint8_t *)PyBytes_AS_STRING(frame);
    to[0] = first;
    to[1] = head == 2 ? (uint8_t)size : head == 4 ? 126 : 127;
    for (Py_ssize_t i = head - 1, rest = size; i > 1; i--, rest >>= 8)
        to[i] = (uint8_t)rest;
    if (key == NULL) {
        memcpy(to + head, payload, (size_t)size);
    }
    else {
        to[1] |= MASKED;
        memcpy(to + head, key, KEY_SIZE);
        mask_onto(to + head + KEY_SIZE, (const uint8_t *)payload, size, key);
    }
    return frame;
}

static PyObject *
build_text(const char *text, Py_ssize_t size)
{
    PyObject *frame = PyBytes_FromStringAndSize(NULL, size + 2);
    char *to;

    if (frame == NULL)
        return NULL;
    to = PyBytes_AS_STRING(frame);
    to[0] = '\x00';
    memcpy(to + 1, text, (size_t)size);
    to[size + 1] = '\xFF';
    return frame;
}

/* Return a frame of a str: of RFC 6455, masked if there is a key; or else of hixie-76. The text of an ASCII str is its
 * UTF-8.
 */
static PyObject *
frame_of_text(PyObject *text, int hybi, const uint8_t *key)
{
    PyObject *encoded = NULL, *frame;
    const char *payload;
    Py_ssize_t size;

#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0)
        return NULL;
#endif
    if (PyUnicode_IS_ASCII(text)) {
        payload = PyUnicode_DATA(text);
        size = PyUnicode_GET_LENGTH(text);
    }
    else {
        encoded = PyUnicode_AsUTF8String(text);
        if (encoded == NULL)
            return NULL;
        payload = PyBytes_AS_STRING(encoded);
        size = PyBytes_GET_SIZE(encoded);
    }
    frame = hybi ? build_message(TEXT, payload, size, key) : build_text(payload, size);
    Py_XDECREF(encoded);
    return frame;
}

static PyObject *
frame_of_message(PyObject *message, const uint8_t *key)
{
    if (PyUnicode_Check(message))
        return frame_of_text(message, 1, key);
    if (PyBytes_Check(message))
        return build_message(BINARY, PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message), key);
    PyErr_SetString(PyExc_TypeError, "a message is str or bytes");
    return NULL;
}

static PyObject *
message_frame(PyObject *Py_UNUSED(module), PyObject *message)
{
    return frame_of_message(message, NULL);
}

static PyObject *
masked_frame(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2 || !PyBytes_Check(args[1]) || PyBytes_GET_SIZE(args[1]) != KEY_SIZE) {
        PyErr_SetString(PyExc_TypeError, "masked_frame(message, key of four bytes)");
        return NULL;
    }
    return frame_of_message(args[0], (const uint8_t *)PyBytes_AS_STRING(args[1]));
}

static PyObject *
text_frame(PyObject *Py_UNUSED(module), PyObject *text)
{
    if (PyUnicode_Check(text))
        return frame_of_text(text, 0, NULL);
    PyErr_SetString(PyExc_TypeError, "a text is str");
    return NULL;
}

/* UTF-8 that comes in parts */

/* A state says what may come next. It is by how much to shift the row of the next byte to find the state after it;
 * a row has nothing where the byte is wrong, which leaves WRONG (RFC 3629 section 4).
 */
enum {
    WRONG = 0,
    BETWEEN = 6, /* two characters */
    ONE_MORE = 12,
    TWO_MORE = 18,
    THREE_MORE = 24,
    AFTER_E0 = 30,
    AFTER_ED = 36,
    AFTER_F0 = 42,
    AFTER_F4 = 48,
    STATE_BITS = 63,
};

#define GO(from, to) ((uint64_t)(to) << (from))
#define ANY_TAIL (GO(ONE_MORE, BETWEEN) | GO(TWO_MORE, ONE_MORE) | GO(THREE_MORE, TWO_MORE))
#define ASCII GO(BETWEEN, BETWEEN)
#define TAIL_8 (ANY_TAIL | GO(AFTER_ED, ONE_MORE) | GO(AFTER_F4, TWO_MORE))
#define TAIL_9 (ANY_TAIL | GO(AFTER_ED, ONE_MORE) | GO(AFTER_F0, TWO_MORE))
#define TAIL_A (ANY_TAIL | GO(AFTER_E0, ONE_MORE) | GO(AFTER_F0, TWO_MORE))
#define OF_TWO GO(BETWEEN, ONE_MORE)
#define OF_THREE GO(BETWEEN, TWO_MORE)
#define OF_FOUR GO(BETWEEN, THREE_MORE)
#define FOUR_TIMES(row) row, row, row, row
#define SIXTEEN_TIMES(row) FOUR_TIMES(row), FOUR_TIMES(row), FOUR_TIMES(row), FOUR_TIMES(row)

static const uint64_t ROWS[256] = {
    SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII),
    SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII), SIXTEEN_TIMES(ASCII),
    SIXTEEN_TIMES(TAIL_8), SIXTEEN_TIMES(TAIL_9), SIXTEEN_TIMES(TAIL_A), SIXTEEN_TIMES(TAIL_A),
    WRONG, WRONG, OF_TWO, OF_TWO, FOUR_TIMES(OF_TWO), FOUR_TIMES(OF_TWO), FOUR_TIMES(OF_TWO), /* from 0xC0 */
    SIXTEEN_TIMES(OF_TWO),
    GO(BETWEEN, AFTER_E0), OF_THREE, OF_THREE, OF_THREE, FOUR_TIMES(OF_THREE), /* from 0xE0 */
    FOUR_TIMES(OF_THREE), OF_THREE, GO(BETWEEN, AFTER_ED), OF_THREE, OF_THREE,
    GO(BETWEEN, AFTER_F0), OF_FOUR, OF_FOUR, OF_FOUR, GO(BETWEEN, AFTER_F4), WRONG, WRONG, WRONG, /* from 0xF0 */
    FOUR_TIMES(WRONG), FOUR_TIMES(WRONG),
};

/* Return the state after more bytes. */
static uint64_t
check_utf8(uint64_t state, const uint8_t *from, Py_ssize_t size)
{
    const uint8_t *end = from + size;

    while (end - from >= WORD) {
        uint64_t word;
        memcpy(&word, from, WORD);
        if ((word & HIGH_BITS) || state != BETWEEN) {
            for (int i = 0; i < WORD; i++)
                state = ROWS[from[i]] >> (state & STATE_BITS);
            state &= STATE_BITS;
            if (state == WRONG)
                break;
        }
        from += WORD;
    }
    for (; from < end; from++)
        state = ROWS[*from] >> (state & STATE_BITS);
    return state & STATE_BITS;
}

/* Return how many bytes begin the character at the end of a text, in the midst of which it ends so far. */
static Py_ssize_t
begun_character(const uint8_t *end)
{
    Py_ssize_t size = 1;

    while ((end[-size] & 0xC0) == 0x80)
        size++;
    return size;
}

/* A message that comes in parts */

typedef struct {
    PyObject_HEAD
    PyObject *store; /* a str as if all were ASCII, or bytes; of `capacity`, of which `size` is filled. Or NULL */
    Py_ssize_t capacity, size;
    uint64_t utf8; /* the state at the end of it */
    char text, ascii;
} Parts;

static uint8_t *
start_of(const Parts *self)
{
    return self->text ? PyUnicode_DATA(self->store) : (uint8_t *)PyBytes_AS_STRING(self->store);
}

/* Let go of what is stored. */
static void
forget(Parts *self)
{
    Py_CLEAR(self->store);
    self->capacity = self->size = 0;
    self->ascii = 1;
}

static int
resize(Parts *self, Py_ssize_t capacity)
{
    if (self->store == NULL)
        self->store = self->text ? PyUnicode_New(capacity, 127) : PyBytes_FromStringAndSize(NULL, capacity);
    else if (self->capacity == capacity)
        return 0;
    else if ((self->text ? PyUnicode_Resize : _PyBytes_Resize)(&self->store, capacity) < 0)
        Py_CLEAR(self->store);
    if (self->store == NULL) {
        forget(self);
        return -1;
    }
    self->capacity = capacity;
    return 0;
}

/* Make room for what came; for more only as a multiple of that, as a peer may announce much and send little. */
static int
make_room(Parts *self, Py_ssize_t size, Py_ssize_t most)
{
    Py_ssize_t needed, room;

    if (size > PY_SSIZE_T_MAX / 8 - SPARE - self->size) {
        PyErr_NoMemory();
        return -1;
    }
    needed = self->size + size;
    if (needed <= self->capacity)
        return 0;
    room = 4 * needed + SPARE;
    return resize(self, most < needed ? needed : most < room ? most : room);
}

static PyObject *
parts_add(Parts *self, PyObject *const *args, Py_ssize_t nargs)
{
    const uint8_t *key = NO_KEY;
    Py_ssize_t start, end, most;
    uint8_t *to;
    int beyond_ascii;

    if (nargs != 5 || !PyBytes_Check(args[0])
        || (args[3] != Py_None && !(PyBytes_Check(args[3]) && PyBytes_GET_SIZE(args[3]) == KEY_SIZE))) {
        PyErr_SetString(PyExc_TypeError, "add(data, start, end, key of four bytes or None, most)");
        return NULL;
    }
    start = PyLong_AsSsize_t(args[1]);
    if (start == -1 && PyErr_Occurred())
        return NULL;
    end = PyLong_AsSsize_t(args[2]);
    if ((end == -1 && PyErr_Occurred()) || read_limit(args[4], &most) < 0)
        return NULL;
    if (start < 0 || end < start || end > PyBytes_GET_SIZE(args[0])) {
        PyErr_SetString(PyExc_ValueError, "start and end are not within the data");
        return NULL;
    }
    if (start < end) {
        if (make_room(self, end - start, most) < 0)
            return NULL;
        if (args[3] != Py_None)
            key = (const uint8_t *)PyBytes_AS_STRING(args[3]);
        to = start_of(self) + self->size;
        beyond_ascii = mask_onto(to, (const uint8_t *)PyBytes_AS_STRING(args[0]) + start, end - start, key);
        if (self->text && (beyond_ascii || self->utf8 != BETWEEN))
            self->utf8 = check_utf8(self->utf8, to, end - start);
        self->ascii &= !beyond_ascii;
        self->size += end - start;
    }
    return PyBool_FromLong(self->utf8 != WRONG);
}

/* Hand over what is stored as the object that it is. */
static PyObject *
hand_over(Parts *self)
{
    PyObject *message;

    if (self->size == 0) {
        message = self->text ? PyUnicode_New(0, 0) : PyBytes_FromStringAndSize(NULL, 0);
    }
    else {
        if (resize(self, self->size) < 0)
            return NULL;
        message = self->store;
        self->store = NULL;
    }
    forget(self);
    return message;
}

static PyObject *
parts_take(Parts *self, PyObject *const *args, Py_ssize_t nargs)
{
    const char *errors = "strict";
    Py_ssize_t rest = 0;
    PyObject *text;
    int final;

    if (nargs < 1 || nargs > 2) {
        PyErr_SetString(PyExc_TypeError, "take(final, errors='strict')");
        return NULL;
    }
    final = PyObject_IsTrue(args[0]);
    if (final < 0 || (nargs == 2 && (errors = PyUnicode_AsUTF8(args[1])) == NULL))
        return NULL;
    if (strcmp(errors, "strict") == 0 && (self->utf8 == WRONG || (final && self->utf8 != BETWEEN)))
        Py_RETURN_NONE;
    if (!final && self->utf8 != BETWEEN && self->utf8 != WRONG)
        rest = begun_character(start_of(self) + self->size);
    if (final)
        self->utf8 = BETWEEN;
    if (!self->text || self->ascii)
        return hand_over(self);
    text = decode(start_of(self), self->size - rest, errors);
    if (text == NULL)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    if (rest) {
        memmove(start_of(self), start_of(self) + self->size - rest, (size_t)rest);
        self->size = rest;
    }
    else {
        forget(self);
    }
    return text;
}

static Py_ssize_t
parts_length(Parts *self)
{
    return self->size;
}

static PyObject *
parts_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(keywords))
{
    Parts *self;
    int text;

    if (!PyArg_ParseTuple(args, "p:Parts", &text))
        return NULL;
    self = (Parts *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->text = (char)text;
        self->ascii = 1;
        self->utf8 = BETWEEN;
    }
    return (PyObject *)self;
}

static void
parts_dealloc(Parts *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(self->store);
    type->tp_free(self);
    Py_DECREF(type);
}

/* The module */

static PyMethodDef parts_methods[] = {
    {"add", (PyCFunction)(void (*)(void))parts_add, METH_FASTCALL, NULL},
    {"take", (PyCFunction)(void (*)(void))parts_take, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot parts_slots[] = {
    {Py_tp_doc, "A message that comes in parts; see pure.py."},
    {Py_tp_new, parts_new},
    {Py_tp_dealloc, parts_dealloc},
    {Py_tp_methods, parts_methods},
    {Py_sq_length, parts_length},
    {0, NULL},
};

static PyType_Spec parts_spec = {
    .name = "hunchensocket_tx.wire._speedups.Parts",
    .basicsize = sizeof(Parts),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = parts_slots,
};

/* A str of ASCII is its own UTF-8: this lends out its memory, for payloads that are too large to be copied gladly. */

typedef struct {
    PyObject_HEAD
    PyObject *text;
} TextBytes;

static int
text_bytes_getbuffer(TextBytes *self, Py_buffer *view, int flags)
{
    return PyBuffer_FillInfo(view, (PyObject *)self, PyUnicode_1BYTE_DATA(self->text),
                             PyUnicode_GET_LENGTH(self->text), 1, flags);
}

static void
text_bytes_dealloc(TextBytes *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_CLEAR(self->text);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyType_Slot text_bytes_slots[] = {
    {Py_bf_getbuffer, text_bytes_getbuffer},
    {Py_tp_dealloc, text_bytes_dealloc},
    {0, NULL},
};

static PyType_Spec text_bytes_spec = {
    .name = "hunchensocket_tx.wire._speedups.TextBytes",
    .basicsize = sizeof(TextBytes),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = text_bytes_slots,
};

typedef struct {
    PyTypeObject *text_bytes;
} State;

static PyObject *
payload_of(PyObject *module, PyObject *message)
{
    State *state = PyModule_GetState(module);
    TextBytes *lender;
    PyObject *view;

    if (PyBytes_Check(message))
        return Py_NewRef(message);
    if (!PyUnicode_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "a message is str or bytes");
        return NULL;
    }
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(message) < 0)
        return NULL;
#endif
    if (!PyUnicode_IS_ASCII(message))
        return PyUnicode_AsUTF8String(message);
    lender = PyObject_New(TextBytes, state->text_bytes);
    if (lender == NULL)
        return NULL;
    lender->text = Py_NewRef(message);
    view = PyMemoryView_FromObject((PyObject *)lender);
    Py_DECREF(lender);
    return view;
}

static int
add_types(PyObject *module)
{
    State *state = PyModule_GetState(module);
    PyObject *type = PyType_FromModuleAndSpec(module, &parts_spec, NULL);
    int failed = type == NULL || PyModule_AddType(module, (PyTypeObject *)type) < 0;

    Py_XDECREF(type);
    state->text_bytes = (PyTypeObject *)PyType_FromModuleAndSpec(module, &text_bytes_spec, NULL);
    return failed || state->text_bytes == NULL ? -1 : 0;
}

static int
traverse_state(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);

    Py_VISIT(state->text_bytes);
    return 0;
}

static int
clear_state(PyObject *module)
{
    State *state = PyModule_GetState(module);

    Py_CLEAR(state->text_bytes);
    return 0;
}

static PyMethodDef functions[] = {
    {"apply_mask", (PyCFunction)(void (*)(void))apply_mask, METH_FASTCALL, NULL},
    {"take_messages", (PyCFunction)(void (*)(void))take_messages, METH_FASTCALL, NULL},
    {"take_texts", (PyCFunction)(void (*)(void))take_texts, METH_FASTCALL, NULL},
    {"masked_frame", (PyCFunction)(void (*)(void))masked_frame, METH_FASTCALL, NULL},
    {"message_frame", message_frame, METH_O, NULL},
    {"payload_of", payload_of, METH_O, NULL},
    {"text_frame", text_frame, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, add_types},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_speedups",
    .m_doc = "Compiled twins of what is in hunchensocket_tx.wire.pure.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = traverse_state,
    .m_clear = clear_state,
};

PyMODINIT_FUNC
PyInit__speedups(void)
{
    return PyModuleDef_Init(&definition);
}
