// The application's part: it shows the element that fits.
const [login] = document.getElementsByTagName('curfew-login');
const [devices] = document.getElementsByTagName('curfew-devices');

document.addEventListener('curfew-login', () => {
  login.hidden = true;
  devices.hidden = false;
});
document.addEventListener('curfew-logged-out', () => {
  login.hidden = false;
});
