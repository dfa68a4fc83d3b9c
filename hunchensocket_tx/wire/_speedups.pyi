from hunchensocket_tx.wire.pure import Parts as Parts
from hunchensocket_tx.wire.pure import apply_mask as apply_mask
from hunchensocket_tx.wire.pure import masked_frame as masked_frame
from hunchensocket_tx.wire.pure import message_frame as message_frame
from hunchensocket_tx.wire.pure import payload_of as payload_of
from hunchensocket_tx.wire.pure import take_messages as take_messages
from hunchensocket_tx.wire.pure import take_texts as take_texts
from hunchensocket_tx.wire.pure import text_frame as text_frame
