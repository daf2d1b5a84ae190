# Opens a file on the share and holds it until standard input ends, as Explorer and virus scanners do on Windows:
# whoever comes may read, write, rename and delete it meanwhile. FOLDER is the share's, PATH is on the share.
import sys
from samba.credentials import Credentials
from samba.samba3 import libsmb_samba_internal, param

GENERIC_READ = 0x80000000
SHARE_READ_WRITE_DELETE = 7

folder, path = sys.argv[1:]
settings = param.get_context()
settings.load(folder + "/server/smb.conf")
who = Credentials()
who.guess(settings)
who.set_domain("SITE")
who.set_username("root")
who.set_password("secret")
share = libsmb_samba_internal.Conn("127.0.0.1", "sms", settings, creds=who)
held = share.create(path, DesiredAccess=GENERIC_READ, ShareAccess=SHARE_READ_WRITE_DELETE)
print("held", flush=True)
sys.stdin.read()
share.close(held)
