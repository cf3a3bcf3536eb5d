"""The entries of the embedded directory, without a server around them."""

from quintet.embedded.tree import Tree
from quintet.ldap.dn import DN
from quintet.ldap.filters import Equality
from quintet.ldap.ldif import read_entries
from quintet.ldap.messages import BASE_OBJECT
from support import small


def test_to_read_one_entry_no_other_is_looked_at() -> None:
    """However many the filter finds: opening a group reads its members one by one."""
    tree = Tree(read_entries(small.LDIF))
    for name, found in ((small.person_dn("alice"), True), (small.BASE, False)):
        node = tree.get(DN.parse(name))
        looked_at = tree.search(node, BASE_OBJECT, Equality("objectClass", b"inetOrgPerson"))
        assert list(looked_at) == [node if found else None]
